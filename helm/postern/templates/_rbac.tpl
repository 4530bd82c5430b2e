{{/* What the server reads and writes in each namespace whose resources count. */}}
{{- define "postern.rules" -}}
- apiGroups: [postern.dev]
  resources: [authschemes, authpolicies, apps]
  verbs: [get, list, watch]
- apiGroups: [postern.dev]
  resources: [authschemes/status, authpolicies/status, apps/status]
  verbs: [patch]
# Only those labelled postern.dev/credential are asked for; RBAC cannot tell them from others.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if ne .Values.config.gatewayAPI "Disabled" }}
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways, httproutes, grpcroutes, referencegrants]
  verbs: [get, list, watch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways/status, httproutes/status, grpcroutes/status]
  verbs: [patch]
{{- end }}
{{- end }}

{{- define "postern.subjects" -}}
- kind: ServiceAccount
  name: {{ include "postern.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
