{{/*
The parts that both Deployments have in common. They take a dict: root; component,
as in labels; own, the component's values.
*/}}

{{/*
Rolling updates. In the host's network a new pod would wait for the ports that the
old one has.
*/}}
{{- define "kubefledged.strategy" -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: {{ .own.hostNetwork | ternary 0 1 }}
  maxUnavailable: {{ .own.hostNetwork | ternary 1 0 }}
{{- end -}}

{{- define "kubefledged.podBasics" -}}
serviceAccountName: {{ .serviceAccount | quote }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- if .own.hostNetwork }}
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
{{- with include "kubefledged.priorityClass" . }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
{{- toYaml . | nindent 0 }}
{{- end }}
{{- end -}}

{{/*
Where the pods run. A component's own value replaces the shared one as a whole:
merged, nobody could take a label out of the shared one.
*/}}
{{- define "kubefledged.scheduling" -}}
{{- with coalesce .own.nodeSelector .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with coalesce .own.tolerations .root.Values.tolerations }}
tolerations:
{{- toYaml . | nindent 0 }}
{{- end }}
{{- with coalesce .own.affinity .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with coalesce .own.topologySpreadConstraints .root.Values.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range . }}
{{- $selector := dict "matchLabels" (include "kubefledged.selectorLabels" $ | fromYaml) }}
{{- toYaml (list (merge (dict) . (dict "labelSelector" $selector))) | nindent 0 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "kubefledged.resources" -}}
{{- toYaml (coalesce .own.resources .root.Values.resources (dict)) -}}
{{- end -}}

{{/* The kubelet asks every 5 s whether to send requests, every 20 s whether to restart. */}}
{{- define "kubefledged.probes" -}}
livenessProbe:
  httpGet:
    path: /healthz
    port: health
  initialDelaySeconds: 10
  periodSeconds: 20
  # A program that waits for a busy processor is not a dead one.
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /readyz
    port: health
  periodSeconds: 5
{{- end -}}

{{- define "kubefledged.ports" -}}
{{- if .root.Values.metrics.enabled }}
- name: metrics
  containerPort: {{ int64 .own.metricsPort }}
{{- end }}
- name: health
  containerPort: {{ int64 .own.healthPort }}
{{- end -}}

{{- define "kubefledged.addresses" -}}
- --metrics-bind-address={{ if .root.Values.metrics.enabled }}:{{ int64 .own.metricsPort }}{{ else }}0{{ end }}
- --health-probe-bind-address=:{{ int64 .own.healthPort }}
{{- end -}}

{{/*
The command of a program. Values of the original chart name the paths within its
images, where ours have nothing: the programs have the same names here.
*/}}
{{- define "kubefledged.command" -}}
{{- $program := first . | replace "/opt/bin/kubefledged-" "/kubefledged-" -}}
{{- toYaml (prepend (rest .) $program) -}}
{{- end }}
