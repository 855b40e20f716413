{{/*
The controller's flags. All of them are written, also where the value is the flag's
default: what a release says must not change with the program's defaults.
*/}}
{{- define "kubefledged.controller.args" -}}
{{- $a := .Values.args -}}
- --stderrthreshold={{ $a.controllerLogLevel }}
- --v={{ int64 $a.controllerLogVerbosity }}
- --image-pull-deadline-duration={{ $a.controllerImagePullDeadlineDuration }}
- --image-cache-refresh-frequency={{ $a.controllerImageCacheRefreshFrequency }}
- --verify-interval={{ $a.controllerVerifyInterval }}
- --image-pull-policy={{ $a.controllerImagePullPolicy }}
- --pull-method={{ $a.controllerPullMethod }}
- --images-per-job={{ $a.controllerImagesPerJob }}
- --jobs-max-surge={{ int64 $a.controllerJobsMaxSurge }}
- --jobs-per-registry={{ int64 $a.controllerJobsPerRegistry }}
- --pulls-per-node={{ int64 $a.controllerPullsPerNode }}
- --workers={{ int64 $a.controllerWorkers }}
- --removal={{ .Values.removal.enabled }}
- --removal-namespace={{ include "kubefledged.removal.namespace" . }}
- --unselected-grace={{ $a.controllerUnselectedGrace }}
- --image-delete-job-host-network={{ $a.controllerImageDeleteJobHostNetwork }}
- --job-retention-policy={{ $a.controllerJobRetentionPolicy }}
- --job-retention-ttl={{ $a.controllerJobRetentionTTL }}
- --helper-image-pull-policy={{ $a.controllerHelperImagePullPolicy }}
{{- with $a.controllerHelperImagePullSecrets }}
- --helper-image-pull-secrets={{ join "," . }}
{{- end }}
{{- with $a.controllerCRISocketPath }}
- {{ printf "--cri-socket-path=%s" . | quote }}
{{- end }}
{{- with $a.controllerServiceAccountName }}
- --service-account-name={{ . }}
{{- end }}
{{- with include "kubefledged.jobs.priorityClass" . }}
- --job-priority-class-name={{ . }}
{{- end }}
{{- range $key, $value := $a.controllerPodLabels }}
- {{ printf "--pod-labels=%s=%v" $key $value | quote }}
{{- end }}
{{- range $key, $value := $a.controllerPodAnnotations }}
- {{ printf "--pod-annotations=%s" (include "kubefledged.pair" (dict "key" $key "value" $value)) | quote }}
{{- end }}
- --leader-elect={{ $a.controllerLeaderElect }}
{{ include "kubefledged.addresses" (dict "root" . "own" .Values.controller) }}
{{- range $a.controllerExtraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{/*
One key=value of a flag that takes several. The flag's parser splits at commas, but
not within quotes, and reads quotes only where there is a second equals sign.
*/}}
{{- define "kubefledged.pair" -}}
{{- $pair := printf "%s=%v" .key .value -}}
{{- if contains "=" (toString .value) -}}
{{- $pair = printf "\"%s\"" ($pair | replace "\"" "\"\"") -}}
{{- end -}}
{{- $pair -}}
{{- end -}}

{{- define "kubefledged.webhook.args" -}}
{{- $a := .Values.args -}}
- --stderrthreshold={{ $a.webhookServerLogLevel }}
- --v={{ int64 $a.webhookServerLogVerbosity }}
- --port={{ int64 $a.webhookServerPort }}
- --namespace={{ .Release.Namespace }}
- --service={{ include "kubefledged.webhook.service" . }}
- --webhook-configuration={{ include "kubefledged.webhook.configuration" . }}
- --certificate-secret={{ include "kubefledged.webhook.secret" . }}
- --self-signed={{ include "kubefledged.webhook.selfSigned" . }}
{{- if eq (include "kubefledged.webhook.selfSigned" .) "false" }}
- {{ printf "--cert-file=%s" $a.webhookServerCertFile | quote }}
- {{ printf "--key-file=%s" $a.webhookServerKeyFile | quote }}
{{- end }}
{{ include "kubefledged.addresses" (dict "root" . "own" .Values.webhookServer) }}
{{- range $a.webhookServerExtraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}
