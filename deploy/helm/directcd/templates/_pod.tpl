{{- /* What the pods of all components share: (dict "root" $ "component" "hub" "pod" .Values.hub.pod). */ -}}
{{- define "directcd.pod" -}}
{{- $pod := .pod -}}
serviceAccountName: {{ include "directcd.serviceAccountName" .root }}
automountServiceAccountToken: false
# DIRECTCD_HUB_PORT and its like, made of Services' names, would be settings that there are not.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  # A large volume is not walked through at each start.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pod.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $pod.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pod.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pod.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "directcd.selector" (list $.root $.component) | nindent 8 }}
{{- end }}
{{- end -}}

{{- define "directcd.container.securityContext" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- /* Image, arguments and environment: (dict "root" $ "component" "hub" "values" .Values.hub). */ -}}
{{- define "directcd.container" -}}
name: {{ .component }}
{{ include "directcd.image" (list .root (default dict .values.image)) }}
args: [{{ .component }}, --config, /etc/directcd/directcd.toml]
env:
  - name: DIRECTCD_LOG_FORMAT
    value: {{ .root.Values.logFormat }}
  {{- with .values.pod.env }}{{ toYaml . | nindent 2 }}{{ end }}
{{ include "directcd.container.securityContext" . }}
resources: {{- toYaml .values.resources | nindent 2 }}
{{- end -}}

{{- /* Its files: (dict "component" "hub" "values" .Values.hub "secrets" (list "NAME")). */ -}}
{{- define "directcd.mounts" -}}
- {name: config, mountPath: /etc/directcd, readOnly: true}
- {name: data, mountPath: /var/lib/directcd/{{ .component }}}
- {name: tmp, mountPath: /tmp}
{{- range $number, $secret := .secrets }}
- {name: secret-{{ $number }}, mountPath: /run/secrets/directcd/{{ $secret }}, readOnly: true}
{{- end }}
{{- with .values.pod.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Whole Secrets as directories: the kubelet renews those when a Secret changes, single files never. */ -}}
{{- define "directcd.volumes" -}}
- name: config
  configMap: {name: {{ include "directcd.fullname" .root }}-{{ .component }}, items: [{key: directcd.toml, path: directcd.toml}]}
- name: tmp
  emptyDir: {}
{{- range $number, $secret := .secrets }}
- name: secret-{{ $number }}
  secret: {secretName: {{ $secret | quote }}, defaultMode: 0440, optional: false}
{{- end }}
{{- with .values.pod.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "directcd.probes" -}}
# Two minutes to start, for a long log or a slow volume.
startupProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{- /* Traffic is led elsewhere while the old pod still answers, then it is told to stop. */ -}}
{{- define "directcd.lifecycle" -}}
lifecycle:
  preStop:
    sleep: {seconds: 5}
{{- end -}}

{{- define "directcd.podAnnotations" -}}
checksum/config: {{ .toml | sha256sum }}
{{- with .pod.annotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}
