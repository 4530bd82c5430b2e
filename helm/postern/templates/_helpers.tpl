{{- define "postern.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "postern.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "postern.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "postern.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The labels that never change: selectors use them. */}}
{{- define "postern.selectorLabels" -}}
app.kubernetes.io/name: {{ include "postern.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "postern.labels" -}}
{{ include "postern.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "postern.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "postern.fullname" .) }}
{{- else }}
{{- required "serviceAccount.name: name the ServiceAccount, or set serviceAccount.create" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "postern.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "postern.host" -}}
{{ include "postern.fullname" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end }}

{{- define "postern.sharedNamespace" -}}
{{ .Values.config.sharedNamespace | default .Release.Namespace }}
{{- end }}

{{/* The namespaces that are watched, as JSON; an empty list stands for all. */}}
{{- define "postern.namespaces" -}}
{{- if .Values.config.namespaces -}}
{{ append .Values.config.namespaces (include "postern.sharedNamespace" .) | uniq | toJson }}
{{- else -}}
[]
{{- end }}
{{- end }}

{{/* The Secret of the server's certificate. */}}
{{- define "postern.tlsSecret" -}}
{{- if .Values.tls.certManager.enabled -}}
{{ include "postern.fullname" . }}-tls
{{- else -}}
{{ required "tls.existingSecret: name the Secret of the certificate, or set tls.certManager.enabled" .Values.tls.existingSecret }}
{{- end }}
{{- end }}

{{/* The Secret of the certificate that cert-manager issues to Envoy; empty if it issues none. */}}
{{- define "postern.clientSecret" -}}
{{- with .Values.tls.certManager }}
{{- if and .enabled .client.enabled -}}
{{ .client.secretName | default (printf "%s-envoy" (include "postern.fullname" $)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The memory limit less some percent, in bytes: GOMEMLIMIT knows no decimal units. Empty without a limit. */}}
{{- define "postern.goMemLimit" -}}
{{- with dig "limits" "memory" "" .Values.resources | toString }}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?" . }}
{{- $unit := trimPrefix $number . }}
{{- if or (not $number) (not (hasKey $units $unit)) }}
{{- fail (printf "resources.limits.memory: %q is not understood; write a number with Ki, Mi, Gi, k, M or G" .) }}
{{- end }}
{{- mulf $number (get $units $unit) $.Values.goMemLimitPercent 0.01 | floor | int64 }}
{{- end }}
{{- end }}
