{{/* What the schema cannot say: values whose pods would not start, or would be cut off, are refused with a sentence. */}}
{{- define "sfmcp-proxy.refuse" -}}
{{- $c := .Values.config -}}
{{- if not (or $c.trusted_proxies ($c.tls | default dict).cert_file) -}}
{{- fail "config.trusted_proxies and config.tls are empty: name the network of the ingress controller's pods, which end TLS, under config.trusted_proxies, or a certificate under config.tls" -}}
{{- end -}}
{{- include "sfmcp-proxy.refuseProduction" . -}}
{{- include "sfmcp-proxy.refuseFiles" . -}}
{{- range $values, $labels := dict "podLabels" .Values.podLabels "podMonitor.labels" .Values.podMonitor.labels -}}
{{- range $label, $_ := $labels -}}
{{- if has $label (list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart") -}}
{{- fail (printf "%s has %s, which the chart sets: Services, the NetworkPolicy and the StatefulSet find the pods by such labels; choose another name" $values $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if hasKey (.Values.podAnnotations | default dict) "checksum/config" -}}
{{- fail "podAnnotations has checksum/config, which the chart sets: by it a changed configuration replaces the pods" -}}
{{- end -}}
{{- $limit := toString .Values.resources.limits.memory -}}
{{- if regexMatch "^[0-9]+[MG]i$" $limit -}}
{{- $bytes := dict "Mi" 1 "MiB" 1 "Gi" 1024 "GiB" 1024 -}}
{{- $may := mul (regexFind "^[0-9]+" $limit | int) (get $bytes (regexFind "[MG]i$" $limit)) -}}
{{- $goal := mul (regexFind "^[0-9]+" .Values.goMemLimit | int) (get $bytes (regexFind "[MG]iB$" .Values.goMemLimit)) -}}
{{- if ge $goal $may -}}
{{- fail (printf "goMemLimit %s is not below resources.limits.memory %s: the kernel would end the process before it saves memory" .Values.goMemLimit $limit) -}}
{{- end -}}
{{- end -}}
{{- if .Values.networkPolicy.enabled }}{{ include "sfmcp-proxy.refuseCutOff" . }}{{ end -}}
{{- end -}}

{{/* What the program refuses with production: true. */}}
{{- define "sfmcp-proxy.refuseProduction" -}}
{{- $c := .Values.config -}}
{{- if $c.production -}}
{{- if and (hasPrefix "postgres" $c.database) (not (regexMatch "[?&]sslmode=verify-full(&|$)" $c.database)) -}}
{{- fail "config.database is without sslmode=verify-full, and config.production is true: the program does not start" -}}
{{- end -}}
{{- if and (eq (include "sfmcp-proxy.logInDatabase" .) "true") (not $c.audit.checkpoints) -}}
{{- fail "config.audit.checkpoints is empty, config.audit.dir is database and config.production is true: name a place outside the database, or the program does not start" -}}
{{- end -}}
{{- range $c.policies -}}
{{- if eq (.mode | default "") "shadow" -}}
{{- fail (printf "the mode of policy %s under config.policies is shadow, and config.production is true: the program does not start" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A pod has /data, its configuration and the Secrets that the values name, and no other file. */}}
{{- define "sfmcp-proxy.refuseFiles" -}}
{{- $c := .Values.config -}}
{{- $files := list -}}
{{- range regexFindAll "\"[a-z_]+_file\":\"[^\"]+\"" (toJson $c) -1 -}}
{{- range $key, $path := fromJson (printf "{%s}" .) }}{{ $files = append $files (list $key $path) }}{{ end -}}
{{- end -}}
{{- range regexFindAll "[?&](passfile|sslrootcert|sslcert|sslkey)=[^&]+" ($c.database | replace "%2F" "/") -1 -}}
{{- if not (hasSuffix "=system" .) -}}
{{- $files = append $files (list (printf "%s of config.database" (regexFind "[a-z]+" .)) (regexReplaceAll "^[^=]*=" . "")) -}}
{{- end -}}
{{- end -}}
{{- range $files -}}
{{- $key := index . 0 }}{{ $path := index . 1 -}}
{{- $secret := regexReplaceAll "^/run/secrets/([^/]+)/[^/]+$" $path "${1}" -}}
{{- if eq $secret $path -}}
{{- fail (printf "%s is %s, which a pod does not have: put the file into a Secret, name that under existingSecrets.files, and write /run/secrets/NAME/KEY" $key $path) -}}
{{- else if not (has $secret ($.Values.existingSecrets.files | default list)) -}}
{{- fail (printf "%s is %s, and existingSecrets.files does not name the Secret %s" $key $path $secret) -}}
{{- end -}}
{{- end -}}
{{- if $c.policies_dir -}}
{{- fail "config.policies_dir is a folder that a pod does not have: write the policies under config.policies" -}}
{{- end -}}
{{- range ($c.audit | default dict).checkpoints -}}
{{- if .file -}}
{{- fail (printf "config.audit.checkpoints has the file %s: a pod has no disk that is not lost together with its audit log; use url, s3 or witness" .file) -}}
{{- end -}}
{{- end -}}
{{- range $c.exports -}}
{{- if and .path (not (regexMatch "^/data/[^/]+$" .path)) -}}
{{- fail (printf "the path of export %s under config.exports is %s, and a pod can write to no folder but /data: /data/NAME" .name .path) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the configuration goes to must be let out by the NetworkPolicy, which knows ports and no names. */}}
{{- define "sfmcp-proxy.refuseCutOff" -}}
{{- $c := .Values.config }}{{ $n := .Values.networkPolicy -}}
{{- if and (hasPrefix "postgres" $c.database) (not $n.database.to) -}}
{{- fail "networkPolicy.database.to is empty: say where the PostgreSQL of config.database is, or the policy cuts it off" -}}
{{- end -}}
{{- $open := list -}}
{{- range concat $n.https ($n.more | default list) }}{{ $open = append $open (int .port) }}{{ end -}}
{{- $mail := (($c.approvals | default dict).mail | default dict).address -}}
{{- $direct := list (list "approvals.mail.address" $mail) (list "outbound_proxy" $c.outbound_proxy) -}}
{{- $other := list (list "telemetry.otlp_endpoint" ($c.telemetry | default dict).otlp_endpoint) -}}
{{- range $c.salesforce.orgs }}{{ $other = concat $other (list (list "salesforce.orgs: login_url" .login_url) (list "salesforce.orgs: jwks_url" .jwks_url)) }}{{ end -}}
{{- range $c.servers }}{{ $other = append $other (list "servers: upstream" .upstream) }}{{ end -}}
{{- $console := $c.console | default dict -}}
{{- range concat (list ($console.oidc | default dict)) ($console.providers | default list) }}{{ $other = append $other (list "console: issuer" .issuer) }}{{ end -}}
{{- range concat ($c.exports | default list) (($c.audit | default dict).checkpoints | default list) -}}
{{- $other = concat $other (list (list "exports: address" .address) (list "exports or audit.checkpoints: url" .url) (list "audit.checkpoints: witness" .witness) (list "s3.endpoint" (.s3 | default dict).endpoint)) -}}
{{- end -}}
{{- range concat $direct $other -}}
{{- $key := index . 0 }}{{ $place := index . 1 | default "" | toString -}}
{{- $address := regexReplaceAll "^([a-z]+://)?([^@/]*@)?([^/?]*).*$" $place "${3}" -}}
{{- $host := regexReplaceAll ":[0-9]+$" $address "" -}}
{{- $port := regexFind ":[0-9]+$" $address | trimPrefix ":" | default (ternary "80" "443" (hasPrefix "http:" $place)) | int -}}
{{- $proxied := and $c.outbound_proxy (not (has . $direct)) -}}
{{- range $c.outbound_proxy_except }}{{ if or (eq . $host) (and (hasPrefix "." .) (hasSuffix . $host)) }}{{ $proxied = false }}{{ end }}{{ end -}}
{{- if and $host (not $proxied) (not (has $port $open)) (not (regexMatch "^(localhost|127\\.[0-9.]+|\\[::1\\])$" $host)) -}}
{{- fail (printf "config.%s goes to %s at port %d, where the NetworkPolicy lets nothing out: say under networkPolicy.more where that is, {to: [...], port: %d}" $key $host $port $port) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The ports of config.database, and the one that the values add, with commas between them. */}}
{{- define "sfmcp-proxy.databasePorts" -}}
{{- $url := .Values.config.database -}}
{{- $ports := list -}}
{{- with regexFind "[?&]port=[0-9,]+" $url }}{{ $ports = splitList "," (regexReplaceAll "^.port=" . "") }}{{ end -}}
{{- $usual := ternary "" "5432" (gt (len $ports) 0) -}}
{{- range splitList "," (regexReplaceAll "^postgres(ql)?://([^@/]*@)?([^/?]*).*$" $url "${3}") -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default $usual) -}}
{{- end -}}
{{- with .Values.networkPolicy.database.port }}{{ $ports = append $ports (printf "%d" (int .)) }}{{ end -}}
{{- join "," (without (uniq $ports) "") -}}
{{- end -}}
