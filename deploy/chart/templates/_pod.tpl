{{/* The pods, and the container. */}}

{{- define "crossfade.image" -}}
{{- $image := .Values.image }}
{{- $name := $image.repository }}
{{- with $image.registry }}{{ $name = printf "%s/%s" . $name }}{{ end }}
{{- if $image.digest }}
{{- printf "%s@%s" $name $image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}

{{/*
The handler of a probe: a dict of `root`, `path`. Without users and certificates, the kubelet sends
the request. Otherwise the binary does, because the kubelet cannot log in.
*/}}
{{- define "crossfade.probe" -}}
{{- $web := .root.Values.webConfig }}
{{- if or $web.existingSecret (include "crossfade.adminIsLocal" .root) }}
{{- $scheme := ternary $web.scheme "http" (ne $web.existingSecret "") }}
exec:
  command:
    - /crossfade
    - health
    - --url={{ $scheme }}://127.0.0.1:{{ include "crossfade.adminPort" .root }}{{ .path }}
    {{- if $web.existingSecret }}
    - --web.config.file=/etc/crossfade-web/{{ $web.key }}
    {{- with $web.probe.username }}
    - --basic-auth.username={{ . }}
    - --basic-auth.password-file=/etc/crossfade-web/{{ required "webConfig.probe.passwordKey is required with a username" $web.probe.passwordKey }}
    {{- end }}
    {{- with $web.probe.certKey }}
    - --tls.cert-file=/etc/crossfade-web/{{ . }}
    - --tls.key-file=/etc/crossfade-web/{{ required "webConfig.probe.keyKey is required with a certKey" $web.probe.keyKey }}
    {{- end }}
    {{- end }}
{{- else }}
httpGet:
  path: {{ .path }}
  port: {{ include "crossfade.adminPortName" .root }}
{{- end }}
{{- end }}

{{/* In Kong's pods, names of ports must differ from Kong's. */}}
{{- define "crossfade.dataPortName" -}}
{{- ternary "crossfade" "data" (eq .Values.kind "Sidecar") }}
{{- end }}

{{- define "crossfade.adminPortName" -}}
{{- ternary "crossfade-admin" "admin" (eq .Values.kind "Sidecar") }}
{{- end }}

{{- define "crossfade.container" -}}
name: crossfade
image: {{ include "crossfade.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - serve
  - --config.file=/etc/crossfade/crossfade.yaml
  {{- with .Values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- if include "crossfade.scrapes" . }}
  - name: {{ include "crossfade.dataPortName" . }}
    containerPort: {{ include "crossfade.dataPort" . }}
    protocol: TCP
  {{- end }}
  - name: {{ include "crossfade.adminPortName" . }}
    containerPort: {{ include "crossfade.adminPort" . }}
    protocol: TCP
  {{- range (include "crossfade.statsdPorts" . | fromYaml).ports }}
  - name: {{ .name }}
    containerPort: {{ int .port }}
    protocol: {{ .protocol }}
  {{- end }}
livenessProbe:
  {{- include "crossfade.probe" (dict "root" . "path" "/-/healthy") | trim | nindent 2 }}
  {{- with .Values.livenessProbe }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- /* A gateway for metrics that is not ready must not make Kong's pod unready. */}}
{{- if ne .Values.kind "Sidecar" }}
readinessProbe:
  {{- include "crossfade.probe" (dict "root" . "path" "/-/ready") | trim | nindent 2 }}
  {{- with .Values.readinessProbe }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- if and .Values.preStopSleepSeconds (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ int .Values.preStopSleepSeconds }}
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  - name: {{ include "crossfade.settingsVolume" . }}
    mountPath: /etc/crossfade
    readOnly: true
  {{- if .Values.webConfig.existingSecret }}
  - name: web
    mountPath: /etc/crossfade-web
    readOnly: true
  {{- end }}
  {{- if .Values.stateFile.enabled }}
  - name: state
    mountPath: /var/lib/crossfade
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "crossfade.settingsVolume" -}}
{{- ternary (include "crossfade.fullname" .) "settings" (eq .Values.kind "Sidecar") }}
{{- end }}

{{- define "crossfade.reloader" -}}
{{- $reloader := .Values.configReloader }}
name: config-reloader
image: {{ $reloader.image.registry }}/{{ $reloader.image.repository }}:{{ $reloader.image.tag }}
imagePullPolicy: {{ $reloader.image.pullPolicy }}
args:
  - --listen-address=127.0.0.1:8080
  - --watched-dir=/etc/crossfade
  - --reload-url=http://127.0.0.1:{{ include "crossfade.adminPort" . }}/-/reload
resources:
  {{- toYaml $reloader.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  - name: {{ include "crossfade.settingsVolume" . }}
    mountPath: /etc/crossfade
    readOnly: true
{{- end }}

{{- define "crossfade.podTemplate" -}}
metadata:
  labels:
    {{- /* Without the versions of the chart, which would restart the pods. */}}
    {{- include "crossfade.selectorLabels" . | nindent 4 }}
    {{- with merge (deepCopy .Values.podLabels) .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- $annotations := deepCopy .Values.podAnnotations }}
  {{- if not .Values.configReloader.enabled }}
  {{- $files := printf "%s\n%s" (include "crossfade.settings" .) (toYaml .Values.packs) }}
  {{- $_ := set $annotations "checksum/settings" (sha256sum $files) }}
  {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "crossfade.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.dnsPolicy }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- with .Values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and .Values.topologySpreadConstraints (ne .Values.kind "DaemonSet") }}
  topologySpreadConstraints:
    {{- $selector := dict "matchLabels" (include "crossfade.selectorLabels" . | fromYaml) }}
    {{- range .Values.topologySpreadConstraints }}
    {{- toYaml (list (merge (deepCopy .) (dict "labelSelector" $selector))) | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    - {{ include "crossfade.container" . | nindent 6 | trim }}
    {{- if .Values.configReloader.enabled }}
    - {{ include "crossfade.reloader" . | nindent 6 | trim }}
    {{- end }}
  volumes:
    - name: settings
      configMap:
        name: {{ include "crossfade.fullname" . }}
    {{- if .Values.webConfig.existingSecret }}
    - name: web
      secret:
        secretName: {{ .Values.webConfig.existingSecret }}
    {{- end }}
    {{- if and .Values.stateFile.enabled (eq .Values.kind "Deployment") }}
    - name: state
      emptyDir:
        sizeLimit: {{ .Values.stateFile.size }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
