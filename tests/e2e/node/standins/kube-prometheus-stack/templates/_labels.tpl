{{- define "labels" -}}
app: kube-prometheus-stack-{{ . }}
app.kubernetes.io/instance: kube-prometheus-stack
app.kubernetes.io/managed-by: Helm
app.kubernetes.io/part-of: kube-prometheus-stack
heritage: Helm
release: kube-prometheus-stack
{{- end }}
{{- define "operator" -}}
{{ include "labels" "operator" }}
app.kubernetes.io/component: prometheus-operator
app.kubernetes.io/name: kube-prometheus-stack-prometheus-operator
{{- end }}
