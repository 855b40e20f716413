{{/*
Kubelets reach the pods of their node whatever a policy says, so probes need no
rule. Names are not resolved: the API server's address is in the environment.
*/}}
{{- define "kubefledged.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "kubefledged.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "kubefledged.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "kubefledged.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
  {{- if .root.Values.metrics.enabled }}
  - ports:
    - port: metrics
      protocol: TCP
    {{- with .root.Values.networkPolicy.metricsFrom }}
    from:
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- if eq .component "webhook-server" }}
  # From anywhere: the API server's address is that of a host, or of a proxy.
  - ports:
    - port: https
      protocol: TCP
  {{- end }}
  egress:
  - ports:
    {{- range .root.Values.networkPolicy.apiServerPorts }}
    - port: {{ int64 . }}
      protocol: TCP
    {{- end }}
    {{- with .root.Values.networkPolicy.apiServerCIDRs }}
    to:
    {{- range . }}
    - ipBlock:
        cidr: {{ . | quote }}
    {{- end }}
    {{- end }}
{{- end -}}
