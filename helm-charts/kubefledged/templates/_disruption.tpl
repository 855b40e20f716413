{{/*
One replica has no budget: a drain would wait for ever, or it means nothing. Pods
that are not ready serve nobody, so a drain may end them at any time.
*/}}
{{- define "kubefledged.podDisruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "kubefledged.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "kubefledged.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ int64 .root.Values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "kubefledged.selectorLabels" . | nindent 6 }}
{{- end -}}
