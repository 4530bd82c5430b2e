{{/* postern.yaml, as internal/config reads it. */}}
{{- define "postern.config" -}}
extauthz:
  address: ":9001"
  {{- if .Values.tls.enabled }}
  tls:
    certFile: /etc/postern/tls/tls.crt
    keyFile: /etc/postern/tls/tls.key
    {{- if .Values.tls.clientCA.enabled }}
    clientCAFile: /etc/postern/client-ca/{{ .Values.tls.clientCA.key }}
    {{- end }}
  {{- end }}
ops:
  address: ":9003"
  pprof: {{ .Values.config.pprof }}
resources:
  sharedNamespace: {{ include "postern.sharedNamespace" . }}
  kubernetes:
    namespaces: {{ .Values.config.namespaces | toJson }}
    gatewayAPI: {{ .Values.config.gatewayAPI }}
    # Another release in this namespace has a leader of its own.
    leasePrefix: {{ include "postern.fullname" . }}
{{- with .Values.config.hostGrants }}
hostGrants: {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "postern.config.keystore" . }}
{{- include "postern.config.admin" . }}
usage: {{- toYaml .Values.config.usage | nindent 2 }}
{{- include "postern.config.redis" . }}
cache: {{- toYaml .Values.config.cache | nindent 2 }}
limits: {{- toYaml .Values.config.limits | nindent 2 }}
telemetry: {{- toYaml .Values.config.telemetry | nindent 2 }}
{{- end }}

{{- define "postern.config.keystore" }}
{{- $postgres := .Values.database.postgres }}
{{- $secrets := .Values.database.secrets }}
{{- if and $postgres.existingSecret (not .Values.pepper.existingSecret) }}
{{- fail "pepper.existingSecret: the database keeps API keys as hmac-sha256 digests; name a Secret with a pepper" }}
{{- end }}
{{- if and $secrets.existingSecret (not $postgres.existingSecret) }}
{{- fail "database.secrets.existingSecret: nothing is sealed where there is no database; name one in database.postgres.existingSecret" }}
{{- end }}
{{- if .Values.pepper.existingSecret }}
keystore:
  pepperFile: /etc/postern/pepper/{{ .Values.pepper.key }}
  {{- if $secrets.existingSecret }}
  secretsFile: /etc/postern/secrets/{{ $secrets.key }}
  {{- end }}
  {{- if $postgres.existingSecret }}
  database:
    postgres:
      dsnFile: /etc/postern/database/{{ $postgres.key }}
      maxConnections: {{ $postgres.maxConnections }}
      connectTimeout: {{ $postgres.connectTimeout }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "postern.config.admin" }}
{{- with .Values.admin }}
{{- if .existingSecret }}
{{- if not $.Values.database.postgres.existingSecret }}
{{- fail "admin.existingSecret: there is no database that the admin API could manage; name one in database.postgres.existingSecret" }}
{{- end }}
{{- if not .tls.existingSecret }}
{{- fail "admin.tls.existingSecret: callers' tokens would cross the network in plain text; name the Secret of a certificate" }}
{{- end }}
admin:
  address: ":9002"
  callersFile: /etc/postern/callers/{{ .key }}
  tls:
    certFile: /etc/postern/admin-tls/tls.crt
    keyFile: /etc/postern/admin-tls/tls.key
    {{- if .tls.clientCA.existingSecret }}
    clientCAFile: /etc/postern/admin-ca/{{ .tls.clientCA.key }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "postern.config.redis" }}
{{- with .Values.redis }}
{{- if .address }}
redis:
  address: {{ .address | quote }}
  {{- with .username }}
  username: {{ . | quote }}
  {{- end }}
  {{- if .existingSecret }}
  passwordFile: /etc/postern/redis/{{ .passwordKey }}
  {{- end }}
  timeout: {{ .timeout }}
  durable: {{ .durable }}
  {{- if .tls.enabled }}
  tls:
    {{- if .tls.existingSecret }}
    caFile: /etc/postern/redis-tls/ca.crt
    {{- if .tls.clientCertificate }}
    certFile: /etc/postern/redis-tls/tls.crt
    keyFile: /etc/postern/redis-tls/tls.key
    {{- end }}
    {{- else }}
    systemCAs: true
    {{- end }}
    {{- with .tls.serverName }}
    serverName: {{ . | quote }}
    {{- end }}
  {{- end }}
{{- else if or .username .existingSecret .tls.enabled .durable }}
{{- fail "redis.address: there are settings for a Redis, and no Redis; name it as host:port" }}
{{- end }}
{{- end }}
{{- end }}
