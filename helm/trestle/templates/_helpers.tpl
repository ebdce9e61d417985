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
app.kubernetes.io/name: {{ include "trestle.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
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

{{- /* A valid object name out of the name of an endpoint: "<fullname>-<endpoint>". */ -}}
{{- define "trestle.endpointService" -}}
{{- printf "%s-%s" (include "trestle.fullname" .root) (.endpoint | replace "_" "-") | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /*
The TCP ports of one endpoint that other pods can reach, as a JSON object {"ports": [...]}: those of
its addresses (listen, bind) that are neither unix sockets nor on loopback.
*/ -}}
{{- define "trestle.endpointPorts" -}}
{{- $ports := list -}}
{{- range $address := concat (default list .listen) (default list .bind) -}}
{{- if and (not (regexMatch "://(127\\.|localhost[:/]|\\[::1\\])" $address)) (regexMatch "^[a-z]+://.*:[0-9]+(/.*)?$" $address) -}}
{{- $ports = append $ports (regexReplaceAll "^.*:([0-9]+)(/.*)?$" $address "${1}") -}}
{{- end -}}
{{- end -}}
{{- dict "ports" ($ports | uniq) | toJson -}}
{{- end -}}

{{- /* The port of config.admin.probe_listen. */ -}}
{{- define "trestle.probePort" -}}
{{- $admin := default dict .Values.config.admin -}}
{{- $address := required "config.admin.probe_listen is needed: Kubernetes probes it, for example http://0.0.0.0:8081" $admin.probe_listen -}}
{{- if not (regexMatch ":[0-9]+/?$" $address) -}}
{{- fail (printf "config.admin.probe_listen is %q, which has no port" $address) -}}
{{- end -}}
{{- regexReplaceAll "^.*:([0-9]+)/?$" $address "${1}" -}}
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
{{- .Values.config | toPrettyJson -}}
{{- end -}}
