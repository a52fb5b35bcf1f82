{{- /* directcd.toml of each component: what its values say, and what follows from the chart. */ -}}

{{- define "directcd.hub.toml" -}}
{{- $ours := dict "listen" "0.0.0.0:8080" "data" "/var/lib/directcd/hub" -}}
{{- with include "directcd.publicUrl" . }}{{ $_ := set $ours "public_url" . }}{{ end -}}
{{- with include "directcd.redisUrl" . }}{{ $_ := set $ours "redis" . }}{{ end -}}
{{- if and .Values.server.enabled (not .Values.server.config.tokens) (not (hasKey .Values.hub.config "servers")) -}}
{{- $servers := dict -}}
{{- range $number, $url := include "directcd.serverUrls" . | fromYamlArray -}}
{{- $_ := set $servers (printf "server-%d" $number) (dict "url" $url) -}}
{{- end -}}
{{- $_ := set $ours "servers" $servers -}}
{{- end -}}
{{- toToml (dict "hub" (merge (deepCopy .Values.hub.config) $ours)) -}}
{{- end -}}

{{- /* Which hub a component has: its own, or this release's; (list $ .Values.server.config). */ -}}
{{- define "directcd.hubOf" -}}
{{- $root := index . 0 -}}
{{- $config := index . 1 -}}
{{- if hasKey $config "hub" }}{{ $config.hub }}{{ else if $root.Values.hub.enabled }}{{ include "directcd.hubUrl" $root }}{{ end -}}
{{- end -}}

{{- define "directcd.server.toml" -}}
{{- $ours := dict "listen" "0.0.0.0:8081" "data" "/var/lib/directcd/server" "hub" (include "directcd.hubOf" (list . .Values.server.config)) -}}
{{- toToml (dict "server" (merge (deepCopy .Values.server.config) $ours) "target" .Values.targets) -}}
{{- end -}}

{{- /* A client asks servers, never a forge: it is told of no credentials. */ -}}
{{- define "directcd.client.toml" -}}
{{- $ours := dict "data" "/var/lib/directcd/client" "hub" (include "directcd.hubOf" (list . .Values.client.config)) -}}
{{- if .Values.server.enabled }}{{ $_ := set $ours "servers" (include "directcd.serverUrls" . | fromYamlArray) }}{{ end -}}
{{- $targets := list -}}
{{- range $target := .Values.targets -}}
{{- $repositories := list -}}
{{- range $repository := $target.repositories -}}
{{- $repositories = append $repositories (omit $repository "user" "password_file" "ssh_key_file") -}}
{{- end -}}
{{- $targets = append $targets (merge (dict "repositories" $repositories) $target) -}}
{{- end -}}
{{- toToml (dict "client" (merge (deepCopy .Values.client.config) $ours) "target" $targets) -}}
{{- end -}}

{{- /* The URL with the names of the files that hold its passwords. */ -}}
{{- define "directcd.redisUrl" -}}
{{- $redis := .Values.hub.redis -}}
{{- $files := list -}}
{{- with $redis.passwordKey -}}
{{- $files = append $files (printf "password_file=/run/secrets/directcd/%s/%s" $redis.existingSecret .) -}}
{{- end -}}
{{- with $redis.sentinelPasswordKey -}}
{{- $files = append $files (printf "sentinel_password_file=/run/secrets/directcd/%s/%s" $redis.existingSecret .) -}}
{{- end -}}
{{- $redis.url -}}
{{- if $files }}{{ ternary "&" "?" (contains "?" $redis.url) }}{{ join "&" $files }}{{ end -}}
{{- end -}}

{{- define "directcd.hub.secrets" -}}
{{- compact (uniq (append .Values.hub.existingSecrets .Values.hub.redis.existingSecret)) | toJson -}}
{{- end -}}
