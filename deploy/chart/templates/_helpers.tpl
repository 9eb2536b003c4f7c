{{/* Names and labels. */}}

{{- define "crossfade.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters, because objects have suffixes and pods of a StatefulSet a hash. */}}
{{- define "crossfade.fullname" -}}
{{- $name := include "crossfade.name" . }}
{{- $full := printf "%s-%s" .Release.Name $name }}
{{- if contains $name .Release.Name }}
{{- $full = .Release.Name }}
{{- end }}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "crossfade.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "crossfade.serviceAccountName" -}}
{{- $default := ternary (include "crossfade.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $default .Values.serviceAccount.name }}
{{- end }}

{{- define "crossfade.selectorLabels" -}}
app.kubernetes.io/name: {{ include "crossfade.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "crossfade.labels" -}}
{{ include "crossfade.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The metadata of an object: a dict of `root`, `suffix`, `namespace`, `labels`, `annotations`. */}}
{{- define "crossfade.metadata" -}}
name: {{ include "crossfade.fullname" .root }}{{ .suffix }}
namespace: {{ default (include "crossfade.namespace" .root) .namespace }}
labels:
  {{- $labels := include "crossfade.labels" .root | fromYaml }}
  {{- toYaml (mergeOverwrite $labels (default dict .labels)) | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Ports and addresses, from the settings. */}}

{{/* The port at the end of an address: a dict of `address`, `setting`. */}}
{{- define "crossfade.port" -}}
{{- $port := regexFind "[0-9]+$" (toString .address) }}
{{- if not $port }}
{{- fail (printf "%s: %q has no port number at its end" .setting (toString .address)) }}
{{- end }}
{{- $port }}
{{- end }}

{{- define "crossfade.dataPort" -}}
{{- $web := default dict .Values.settings.web }}
{{- $address := default "0.0.0.0:9542" $web.listen_address }}
{{- include "crossfade.port" (dict "address" $address "setting" "settings.web.listen_address") }}
{{- end }}

{{- define "crossfade.adminAddress" -}}
{{- $admin := default dict .Values.settings.admin }}
{{- default "127.0.0.1:9543" $admin.listen_address }}
{{- end }}

{{- define "crossfade.adminPort" -}}
{{- $address := include "crossfade.adminAddress" . }}
{{- include "crossfade.port" (dict "address" $address "setting" "settings.admin.listen_address") }}
{{- end }}

{{/* Whether only the pod itself reaches the admin listener. */}}
{{- define "crossfade.adminIsLocal" -}}
{{- if regexMatch "^(127\\.|localhost:|\\[::1\\])" (include "crossfade.adminAddress" .) }}true{{ end }}
{{- end }}

{{/* Whether Prometheus scrapes targets through this gateway. */}}
{{- define "crossfade.scrapes" -}}
{{- if or .Values.settings.targets .Values.settings.allow }}true{{ end }}
{{- end }}

{{/* The StatsD listeners that have a port, as `{ports: [{name, protocol, port}]}`. */}}
{{- define "crossfade.statsdPorts" -}}
{{- $ports := list }}
{{- $statsd := default dict .Values.settings.statsd }}
{{- range $statsd.listen }}
{{- $protocol := regexFind "^(udp|tcp):" .address | trimSuffix ":" }}
{{- if $protocol }}
{{- $port := include "crossfade.port" (dict "address" .address "setting" "settings.statsd.listen") }}
{{- $name := printf "%s-%s" $protocol $port }}
{{- $ports = append $ports (dict "name" $name "protocol" (upper $protocol) "port" (int $port)) }}
{{- end }}
{{- end }}
{{- toYaml (dict "ports" $ports) }}
{{- end }}

{{/* The host of the data Service as Prometheus in any namespace reaches it, with its port. */}}
{{- define "crossfade.dataHost" -}}
{{- printf "%s.%s.svc:%s" (include "crossfade.fullname" .) (include "crossfade.namespace" .) (include "crossfade.dataPort" .) }}
{{- end }}

{{/* Of how many replicas each serves a part of the targets. */}}
{{- define "crossfade.shards" -}}
{{- ternary (int .Values.replicas) 1 (eq .Values.kind "StatefulSet") }}
{{- end }}

{{/* The host of one replica of the StatefulSet: a dict of `root`, `replica`. */}}
{{- define "crossfade.replicaHost" -}}
{{- $name := include "crossfade.fullname" .root }}
{{- printf "%s-%s.%s-headless.%s.svc:%s" $name .replica $name (include "crossfade.namespace" .root) (include "crossfade.dataPort" .root) }}
{{- end }}

{{/* The settings file: the values, and what other values require. */}}
{{- define "crossfade.settings" -}}
{{- $settings := deepCopy .Values.settings }}
{{- $web := default dict $settings.web }}
{{- $scrape := default dict $settings.scrape }}
{{- if .Values.webConfig.existingSecret }}
{{- $_ := set $web "config_file" (printf "/etc/crossfade-web/%s" .Values.webConfig.key) }}
{{- end }}
{{- if .Values.configReloader.enabled }}
{{- $_ := set $web "enable_lifecycle" true }}
{{- end }}
{{- if .Values.stateFile.enabled }}
{{- $_ := set $scrape "state_file" "/var/lib/crossfade/state" }}
{{- end }}
{{- if $web }}{{ $_ := set $settings "web" $web }}{{ end }}
{{- if $scrape }}{{ $_ := set $settings "scrape" $scrape }}{{ end }}
{{- toYaml $settings }}
{{- end }}

{{/* Combinations of values that cannot work. values.schema.json rejects single values. */}}
{{- define "crossfade.check" -}}
{{- $settings := .Values.settings }}
{{- $statsd := default dict $settings.statsd }}
{{- if not (or (include "crossfade.scrapes" .) $statsd.listen) }}
{{- fail "nothing to do: set settings.targets, settings.allow, or settings.statsd" }}
{{- end }}
{{- $web := default dict $settings.web }}
{{- if $web.systemd_socket }}
{{- fail "settings.web.systemd_socket: a container gets no sockets from systemd; leave it out" }}
{{- end }}
{{- $prefix := default (default "/" (urlParse (default "" $web.external_url)).path) $web.route_prefix }}
{{- if trimAll "/" $prefix }}
{{- fail "settings.web.route_prefix: probes and monitors have no prefix; set \"/\", and remove the prefix in the ingress" }}
{{- end }}
{{- if (default dict $settings.web).config_file }}
{{- fail "settings.web.config_file: put the file into a Secret, and set webConfig.existingSecret" }}
{{- end }}
{{- if (default dict $settings.scrape).state_file }}
{{- fail "settings.scrape.state_file: set stateFile.enabled, which also provides the volume" }}
{{- end }}
{{- range $pack := $settings.packs }}
{{- if and (regexMatch "\\.ya?ml$" $pack) (not (hasPrefix "/" $pack)) (not (hasKey $.Values.packs $pack)) }}
{{- fail (printf "settings.packs: %q is not in packs" $pack) }}
{{- end }}
{{- end }}
{{- range $name, $_ := .Values.packs }}
{{- if not (has $name (default list $settings.packs)) }}
{{- fail (printf "packs: %q is not in settings.packs, so it is not used" $name) }}
{{- end }}
{{- end }}
{{- if and .Values.configReloader.enabled .Values.webConfig.existingSecret }}
{{- fail "configReloader: it cannot log in to the admin listener; disable it, or webConfig" }}
{{- end }}
{{- if and .Values.autoscaling.enabled (ne .Values.kind "Deployment") }}
{{- fail "autoscaling: only for kind: Deployment" }}
{{- end }}
{{- if and .Values.stateFile.enabled (has .Values.kind (list "DaemonSet" "Sidecar")) }}
{{- fail "stateFile: only for kind: Deployment and kind: StatefulSet" }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled (or (not .Values.adminService.enabled) (eq .Values.kind "Sidecar")) }}
{{- fail "serviceMonitor: there is no admin Service; use podMonitor" }}
{{- end }}
{{- if and (or .Values.serviceMonitor.enabled .Values.podMonitor.enabled) (include "crossfade.adminIsLocal" .) }}
{{- fail "settings.admin.listen_address: Prometheus cannot reach a loopback address; set \":9543\"" }}
{{- end }}
{{- $paths := dict }}
{{- range .Values.kongMonitors }}
{{- if hasKey $paths .name }}
{{- fail (printf "kongMonitors: two items are named %q" .name) }}
{{- end }}
{{- $_ := set $paths .name true }}
{{- if and (has .placement (list "proxy" "probe")) (not $settings.allow) }}
{{- fail (printf "kongMonitors: %q needs settings.allow" .name) }}
{{- end }}
{{- if and (eq .placement "substitution") (not $settings.targets) }}
{{- fail (printf "kongMonitors: %q needs settings.targets" .name) }}
{{- end }}
{{- if and (ne .placement "sidecar") (eq $.Values.kind "Sidecar") }}
{{- fail (printf "kongMonitors: %q has no gateway to use; kind: Sidecar needs placement: sidecar" .name) }}
{{- end }}
{{- if and (eq (default "pods" .discovery) "targets") (ne .placement "substitution") (not .targets) }}
{{- fail (printf "kongMonitors: %q has no targets" .name) }}
{{- end }}
{{- end }}
{{- end }}
