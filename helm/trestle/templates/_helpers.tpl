{{- define "trestle.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* Short enough for "-<endpoint>" behind it. */ -}}
{{- define "trestle.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "trestle.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "trestle.selectorLabels" -}}
app.kubernetes.io/name: {{ include "trestle.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- /* Of the pod of `helm test`, which no Service may select. */ -}}
{{- define "trestle.testLabels" -}}
app.kubernetes.io/name: {{ include "trestle.name" . | printf "%s-test" | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "trestle.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "trestle.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "trestle.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "trestle.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "trestle.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /*
A valid object name out of the name of an endpoint: "<fullname>-<endpoint>". What is cut off is told
apart by a hash.
*/ -}}
{{- define "trestle.endpointService" -}}
{{- $name := printf "%s-%s" (include "trestle.fullname" .root) (.endpoint | replace "_" "-") -}}
{{- if gt (len $name) 63 -}}
{{- $name = printf "%s-%s" ($name | trunc 54 | trimSuffix "-") (.endpoint | sha256sum | trunc 8) -}}
{{- end -}}
{{- regexReplaceAll "-+$" $name "" -}}
{{- end -}}

{{- /*
The TCP port of an address that other pods can reach; nothing for a unix socket and for loopback.
`where` says whose address it is.
*/ -}}
{{- define "trestle.reachablePort" -}}
{{- if not (regexMatch "^(ipc|[a-z]+\\+unix)://|://(127\\.|localhost(:|/|$)|\\[::1\\])" .address) -}}
{{- if not (regexMatch "^[a-z]+://.*:[0-9]+(/.*)?$" .address) -}}
{{- fail (printf "%s: %q tells no port: the chart reads it there, so it must be a number, as in %s" .where .address "mqtt://0.0.0.0:1883") -}}
{{- end -}}
{{- regexReplaceAll "^.*:([0-9]+)(/.*)?$" .address "${1}" -}}
{{- end -}}
{{- end -}}

{{- /* The ports of one endpoint that other pods can reach, as a JSON object {"ports": [...]}. */ -}}
{{- define "trestle.endpointPorts" -}}
{{- $ports := list -}}
{{- $endpoint := get .root.Values.config.endpoints .endpoint -}}
{{- range $address := concat (default list $endpoint.listen) (default list $endpoint.bind) -}}
{{- $where := printf "config.endpoints.%s" $.endpoint -}}
{{- $ports = append $ports (include "trestle.reachablePort" (dict "address" $address "where" $where)) -}}
{{- end -}}
{{- dict "ports" (without $ports "" | uniq) | toJson -}}
{{- end -}}

{{- /* The same of all endpoints. */ -}}
{{- define "trestle.allPorts" -}}
{{- $ports := list -}}
{{- range $name := keys .Values.config.endpoints | sortAlpha -}}
{{- $ports = concat $ports (include "trestle.endpointPorts" (dict "root" $ "endpoint" $name) | fromJson).ports -}}
{{- end -}}
{{- dict "ports" ($ports | uniq) | toJson -}}
{{- end -}}

{{- /* How the Service of an endpoint is to be, as a JSON object: its own values over the defaults. */ -}}
{{- define "trestle.serviceOptions" -}}
{{- $own := default dict (get .root.Values.services .endpoint) -}}
{{- $options := merge (dict) $own .root.Values.serviceDefaults -}}
{{- /* `merge` takes false for nothing. */ -}}
{{- if hasKey $own "enabled" }}{{ $_ := set $options "enabled" $own.enabled }}{{ end -}}
{{- $options | toJson -}}
{{- end -}}

{{- /* The port of config.admin.probe_listen. */ -}}
{{- define "trestle.probePort" -}}
{{- $admin := default dict .Values.config.admin -}}
{{- $address := required "config.admin.probe_listen is needed: Kubernetes probes it, for example http://0.0.0.0:8081" $admin.probe_listen -}}
{{- if not (hasPrefix "http://" $address) -}}
{{- fail (printf "config.admin.probe_listen: %q is not http://, which Kubernetes and Prometheus ask by" $address) -}}
{{- end -}}
{{- $port := include "trestle.reachablePort" (dict "address" $address "where" "config.admin.probe_listen") -}}
{{- if not $port -}}
{{- fail (printf "config.admin.probe_listen: %q is the pod's own, and Kubernetes probes from outside: listen at http://0.0.0.0:8081" $address) -}}
{{- end -}}
{{- $port -}}
{{- end -}}

{{- /* The port of config.admin.listen, when other pods can reach it. */ -}}
{{- define "trestle.adminPort" -}}
{{- with (default dict .Values.config.admin).listen -}}
{{- include "trestle.reachablePort" (dict "address" . "where" "config.admin.listen") -}}
{{- end -}}
{{- end -}}

{{- define "trestle.terminationGracePeriodSeconds" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- $drain := default 5000 .Values.config.drain_timeout_ms | int64 -}}
{{- add (int64 .Values.preStopSeconds) (div (add $drain 999) 1000) 10 -}}
{{- else -}}
{{- int64 .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{- define "trestle.config" -}}
{{- with (default dict .Values.config.admin).token -}}
{{- if not (contains "${" .) -}}
{{- fail "config.admin.token would be readable in a ConfigMap: mount a Secret (`secrets`) and write ${file:/run/secrets/trestle/token}" -}}
{{- end -}}
{{- end -}}
{{- .Values.config | toPrettyJson -}}
{{- end -}}
