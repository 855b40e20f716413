{{/* What a Deployment selects by never changes: neither versions nor user's labels. */}}
{{- define "kubefledged.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kubefledged.name" .root | quote }}
app.kubernetes.io/instance: {{ include "kubefledged.cut" (dict "name" .root.Release.Name "most" 63) | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/*
Labels of every object. The first two are those of kube-fledged's manifests, by
which its users list pods.
*/}}
{{- define "kubefledged.labels" -}}
app: kubefledged
kubefledged: kubefledged-{{ .component }}
{{ include "kubefledged.selectorLabels" . }}
app.kubernetes.io/part-of: kubefledged
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of pods: without the chart's version, whose change alone restarts nothing. */}}
{{- define "kubefledged.podLabels" -}}
app: kubefledged
kubefledged: kubefledged-{{ .component }}
{{ include "kubefledged.selectorLabels" . }}
app.kubernetes.io/part-of: kubefledged
{{- with merge (dict) .root.Values.podLabels .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
