{{/*
A name that was cut ends in a hash of the whole, so that two long ones stay two.
The longest of ours, with -webhook-server, is a Service's: 63 characters.
*/}}
{{- define "kubefledged.cut" -}}
{{- if gt (len .name) (int .most) -}}
{{- printf "%s-%s" (trunc (int (sub .most 9)) .name | trimSuffix "-" | trimSuffix ".") (sha256sum .name | trunc 8) -}}
{{- else -}}
{{- .name | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "kubefledged.name" -}}
{{- include "kubefledged.cut" (dict "name" (default .Chart.Name .Values.nameOverride) "most" 47) -}}
{{- end -}}

{{- define "kubefledged.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
{{- $full = contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- /* The name of a Service starts with a letter. */ -}}
{{- if regexMatch "^[0-9]" $full -}}
{{- $full = printf "%s-%s" $name .Release.Name -}}
{{- end -}}
{{- end -}}
{{- include "kubefledged.cut" (dict "name" ($full | replace "." "-") "most" 47) -}}
{{- end -}}

{{- define "kubefledged.controller.name" -}}
{{- include "kubefledged.fullname" . }}-controller
{{- end -}}

{{- define "kubefledged.webhook.name" -}}
{{- include "kubefledged.fullname" . }}-webhook-server
{{- end -}}

{{- define "kubefledged.controller.serviceAccount" -}}
{{- default (include "kubefledged.controller.name" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "kubefledged.webhook.serviceAccount" -}}
{{- default (include "kubefledged.webhook.name" .) .Values.serviceAccount.webhookServerName -}}
{{- end -}}

{{- define "kubefledged.controller.clusterRole" -}}
{{- default (include "kubefledged.controller.name" .) .Values.clusterRole.name -}}
{{- end -}}

{{- define "kubefledged.webhook.clusterRole" -}}
{{- default (include "kubefledged.webhook.name" .) .Values.clusterRole.webhookServerName -}}
{{- end -}}

{{- define "kubefledged.controller.clusterRoleBinding" -}}
{{- default (include "kubefledged.controller.name" .) .Values.clusterRoleBinding.name -}}
{{- end -}}

{{- define "kubefledged.webhook.clusterRoleBinding" -}}
{{- default (include "kubefledged.webhook.name" .) .Values.clusterRoleBinding.webhookServerName -}}
{{- end -}}

{{- define "kubefledged.webhook.service" -}}
{{- default (include "kubefledged.webhook.name" .) .Values.webhookService.name -}}
{{- end -}}

{{/* The configuration of the webhook; none where the chart makes none and names none. */}}
{{- define "kubefledged.webhook.configuration" -}}
{{- if .Values.validatingWebhook.name -}}
{{- .Values.validatingWebhook.name -}}
{{- else if .Values.validatingWebhook.create -}}
{{- include "kubefledged.webhook.name" . -}}
{{- end -}}
{{- end -}}

{{- define "kubefledged.webhook.secret" -}}
{{- default (printf "%s-cert" (include "kubefledged.webhook.name" .)) .Values.webhook.certificateSecret -}}
{{- end -}}

{{/*
The namespace of removals. As a namespace's name has 63 characters at most, a
long one of the release is cut.
*/}}
{{- define "kubefledged.removal.namespace" -}}
{{- default (printf "%s-node" (include "kubefledged.cut" (dict "name" .Release.Namespace "most" 58))) .Values.removal.namespace -}}
{{- end -}}

{{/* The PriorityClass of a component: its own value, else the chart's, else none. */}}
{{- define "kubefledged.priorityClass" -}}
{{- if .own.priorityClassName -}}
{{- .own.priorityClassName -}}
{{- else if .root.Values.priorityClass.create -}}
{{- include "kubefledged.fullname" .root -}}
{{- end -}}
{{- end -}}

{{- define "kubefledged.jobs.priorityClass" -}}
{{- if .Values.args.controllerJobPriorityClassName -}}
{{- .Values.args.controllerJobPriorityClassName -}}
{{- else if .Values.priorityClass.create -}}
{{- include "kubefledged.fullname" . }}-jobs
{{- end -}}
{{- end -}}

{{/* Whether there is a webhook: both names of the value have to say so. */}}
{{- define "kubefledged.webhook.enabled" -}}
{{- if and .Values.webhook.enabled .Values.webhookServer.enable }}true{{ end -}}
{{- end -}}

{{/* Whether the webhook server makes its own certificate. */}}
{{- define "kubefledged.webhook.selfSigned" -}}
{{- if and .Values.webhook.selfSigned (not .Values.webhook.certManager.enabled) }}true{{ else }}false{{ end -}}
{{- end -}}

{{/*
An image: repository, and a digest or a tag. The tag common to all images is not
for one that has a digest.
*/}}
{{- define "kubefledged.image" -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (coalesce .tag .root.Values.image.tag .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "kubefledged.controller.image" -}}
{{- $i := .Values.image -}}
{{- include "kubefledged.image" (dict "root" . "repository" $i.kubefledgedControllerRepository "tag" $i.kubefledgedControllerTag "digest" $i.kubefledgedControllerDigest) -}}
{{- end -}}

{{- define "kubefledged.helper.image" -}}
{{- $i := .Values.image -}}
{{- include "kubefledged.image" (dict "root" . "repository" $i.kubefledgedCRIClientRepository "tag" $i.kubefledgedCRIClientTag "digest" $i.kubefledgedCRIClientDigest) -}}
{{- end -}}

{{- define "kubefledged.webhook.image" -}}
{{- $i := .Values.image -}}
{{- if $i.kubefledgedWebhookServerRepository -}}
{{- include "kubefledged.image" (dict "root" . "repository" $i.kubefledgedWebhookServerRepository "tag" $i.kubefledgedWebhookServerTag "digest" $i.kubefledgedWebhookServerDigest) -}}
{{- else -}}
{{- include "kubefledged.controller.image" . -}}
{{- end -}}
{{- end -}}
