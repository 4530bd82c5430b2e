{{/* Secrets as files: the server reads them again when they change, so nothing here uses subPath. */}}
{{- define "postern.secrets" -}}
{{- if .Values.tls.enabled }}
- {name: tls, secret: {{ include "postern.tlsSecret" . }}}
{{- if .Values.tls.clientCA.enabled }}
- {name: client-ca, secret: {{ .Values.tls.clientCA.existingSecret | default (include "postern.tlsSecret" .) }}, key: {{ .Values.tls.clientCA.key }}}
{{- end }}
{{- end }}
{{- with .Values.pepper }}
{{- if .existingSecret }}
- {name: pepper, secret: {{ .existingSecret }}, key: {{ .key }}}
{{- end }}
{{- end }}
{{- with .Values.database }}
{{- if .postgres.existingSecret }}
- {name: database, secret: {{ .postgres.existingSecret }}, key: {{ .postgres.key }}}
{{- end }}
{{- if .secrets.existingSecret }}
- {name: secrets, secret: {{ .secrets.existingSecret }}, key: {{ .secrets.key }}}
{{- end }}
{{- end }}
{{- with .Values.admin }}
{{- if .existingSecret }}
- {name: callers, secret: {{ .existingSecret }}, key: {{ .key }}}
- {name: admin-tls, secret: {{ .tls.existingSecret }}}
{{- if .tls.clientCA.existingSecret }}
- {name: admin-ca, secret: {{ .tls.clientCA.existingSecret }}, key: {{ .tls.clientCA.key }}}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.redis }}
{{- if .existingSecret }}
- {name: redis, secret: {{ .existingSecret }}, key: {{ .passwordKey }}}
{{- end }}
{{- if .tls.existingSecret }}
- {name: redis-tls, secret: {{ .tls.existingSecret }}}
{{- else if .tls.clientCertificate }}
{{- fail "redis.tls.existingSecret: name the Secret that holds the client certificate" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "postern.volumes" -}}
- name: config
  configMap:
    name: {{ include "postern.fullname" . }}
{{- range include "postern.secrets" . | fromYamlArray }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    {{- with .key }}
    items:
    - {key: {{ . }}, path: {{ . }}}
    {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "postern.mounts" -}}
- name: config
  mountPath: /etc/postern/postern.yaml
  subPath: postern.yaml
  readOnly: true
{{- range include "postern.secrets" . | fromYamlArray }}
- name: {{ .name }}
  mountPath: /etc/postern/{{ .name }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "postern.spread" -}}
{{- if .Values.topologySpreadConstraints }}
{{- toYaml .Values.topologySpreadConstraints }}
{{- else }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- topologyKey: {{ . }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "postern.selectorLabels" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end }}
