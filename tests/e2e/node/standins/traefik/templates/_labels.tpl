{{- define "selector" -}}
app.kubernetes.io/instance: {{ .Release.Name }}-{{ .Release.Namespace }}
app.kubernetes.io/name: traefik
{{- end }}
{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/managed-by: Helm
{{- end }}
{{- define "metrics" -}}
{{ include "selector" . }}
app.kubernetes.io/component: metrics
{{- end }}
