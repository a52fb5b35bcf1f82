{{- /* A StatefulSet labels its pods with its own name and eleven letters, and labels have 63. */ -}}
{{- define "directcd.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What every object of the release carries; (list $ "hub") names the component. */ -}}
{{- define "directcd.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | quote }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{ include "directcd.selector" . }}
{{- end -}}

{{- define "directcd.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "directcd.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "directcd.fullname" $root }}-{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels: {{- include "directcd.labels" . | nindent 2 }}
{{- end -}}

{{- define "directcd.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "directcd.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* (list $ .Values.server.image): what a component says of its image goes before what all have; and the
       digest of another image is none of it. */ -}}
{{- define "directcd.image" -}}
{{- $root := index . 0 -}}
{{- $own := index . 1 -}}
{{- $image := merge (deepCopy $own) $root.Values.image -}}
{{- $digest := ternary (default "" $own.digest) $image.digest (or (hasKey $own "repository") (hasKey $own "tag") (hasKey $own "digest")) -}}
{{- $version := ternary (printf "@%s" $digest) (printf ":%s" (default $root.Chart.AppVersion $image.tag)) (ne $digest "") -}}
image: {{ printf "%s%s" $image.repository $version | quote }}
imagePullPolicy: {{ $image.pullPolicy }}
{{- end -}}

{{- define "directcd.hubUrl" -}}
http://{{ include "directcd.fullname" . }}-hub:8080
{{- end -}}

{{- /* How forges reach the hub; empty when nobody has said it. */ -}}
{{- define "directcd.publicUrl" -}}
{{- if .Values.hub.config.public_url -}}
{{- .Values.hub.config.public_url | trimSuffix "/" -}}
{{- else if .Values.ingress.enabled -}}
{{- printf "%s://%s" (ternary "https" "http" (not (empty .Values.ingress.tlsSecret))) .Values.ingress.host -}}
{{- end -}}
{{- end -}}

{{- /* Each server by its own name: a client keeps to the first that answers, and notices one that lags. */ -}}
{{- define "directcd.serverUrls" -}}
{{- $name := printf "%s-server" (include "directcd.fullname" .) -}}
{{- range $number := until (int .Values.server.replicas) }}
- http://{{ $name }}-{{ $number }}.{{ $name }}:8081
{{- end }}
{{- end -}}

{{- define "directcd.asksForges" -}}
{{- range $source := .Values.hub.config.sources -}}
{{- if or $source.api_token_file (has "github-meta" (default list $source.allowed_senders)) }}yes{{ end -}}
{{- end -}}
{{- end -}}
