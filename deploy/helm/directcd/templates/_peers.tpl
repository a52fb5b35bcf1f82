{{- /* Pods of this release: (list $ "hub" "server"). */ -}}
{{- define "directcd.peers" -}}
- podSelector:
    matchLabels: {{- include "directcd.selector" (list (first .) "") | nindent 6 }}
    matchExpressions:
      - {key: app.kubernetes.io/component, operator: In, values: {{ rest . | toJson }}}
{{- end -}}

{{- /* Without `to` it is everywhere: whose repositories they are, values alone can say. */ -}}
{{- define "directcd.toForges" -}}
- ports: {{- include "directcd.ports" .Values.networkPolicy.forgesPorts | trim | nindent 4 }}
  {{- with .Values.networkPolicy.forgesTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "directcd.toRedis" -}}
- ports: {{- include "directcd.ports" .Values.networkPolicy.redisPorts | trim | nindent 4 }}
  to: {{- toYaml .Values.networkPolicy.redisTo | nindent 4 }}
{{- end -}}

{{- /* To the hubs of this release, or past them to their Redis: (list $ .Values.server.config). */ -}}
{{- define "directcd.toHubs" -}}
{{- $root := first . -}}
{{- $hub := include "directcd.hubOf" . -}}
{{- if regexMatch "^rediss?[:+]" $hub -}}
{{- include "directcd.toRedis" $root -}}
{{- else if eq $hub (include "directcd.hubUrl" $root) -}}
- to: {{- include "directcd.peers" (list $root "hub") | nindent 4 }}
  ports: [{protocol: TCP, port: 8080}]
{{- end }}
{{- end -}}

{{- define "directcd.ports" -}}
{{- range . }}
- {protocol: TCP, port: {{ . }}}
{{- end }}
{{- end -}}

{{- /* Whom the hub asks: servers for the dashboard, forges if it was told to, its Redis. */ -}}
{{- define "directcd.hub.egress" -}}
{{- if .Values.server.enabled }}
{{ include "directcd.toServers" . }}
{{- end }}
{{- if include "directcd.asksForges" . }}
{{ include "directcd.toForges" . }}
{{- end }}
{{- if .Values.hub.redis.url }}
{{ include "directcd.toRedis" . }}
{{- end }}
{{- with .Values.networkPolicy.hub.egress }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "directcd.client.egress" -}}
{{- if .Values.server.enabled }}
{{ include "directcd.toServers" . }}
{{- end }}
{{ include "directcd.toHubs" (list . .Values.client.config) }}
{{- with .Values.networkPolicy.client.egress }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "directcd.toServers" -}}
- to: {{- include "directcd.peers" (list . "server") | nindent 4 }}
  ports: [{protocol: TCP, port: 8081}]
{{- end -}}
