{{- define "sfmcp-proxy.name" -}}
{{- printf "%s" .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "sfmcp-proxy.selector" -}}
app.kubernetes.io/name: sfmcp-proxy
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "sfmcp-proxy.labels" -}}
{{ include "sfmcp-proxy.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "sfmcp-proxy.image" -}}
{{- $image := printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- if .Values.image.digest }}{{ $image = printf "%s@%s" $image .Values.image.digest }}{{ end -}}
{{- $image -}}
{{- end -}}

{{/* Whether the audit log is in the database: then no replica needs a volume. */}}
{{- define "sfmcp-proxy.logInDatabase" -}}
{{- eq ((.Values.config.audit | default dict).dir | default "") "database" -}}
{{- end -}}

{{/* The configuration: what the values say, and what a pod is like. The schema refuses the latter in values. */}}
{{- define "sfmcp-proxy.config" -}}
{{- $dir := ternary "database" "/data/audit" (include "sfmcp-proxy.logInDatabase" . | eq "true") -}}
{{- $audit := merge (dict "dir" $dir) (.Values.config.audit | default dict) -}}
{{- $pod := dict "listen" "0.0.0.0:8080" "admin_listen" "0.0.0.0:9090" "admin_listen_open" true "keys_from" "credential" "keys_file" "/data/keys" "audit" $audit "shutdown_delay" (printf "%ds" (int .Values.shutdownDelaySeconds)) -}}
{{- toYaml (merge $pod (omit .Values.config "audit")) -}}
{{- end -}}
