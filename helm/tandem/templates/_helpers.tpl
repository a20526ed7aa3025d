{{/* SPDX-License-Identifier: MIT */}}

{{- define "tandem.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $derived := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full := default $derived .Values.fullnameOverride -}}
{{- if gt (len $full) 18 -}}
{{- fail (printf "The name %q is longer than 18 characters, so that pod names would not fit an edge id (40): choose a shorter release name or set fullnameOverride." $full) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{/* Labels of one part: dict "root" $ "part" "edge" */}}
{{- define "tandem.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "tandem.labels" -}}
{{ include "tandem.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "tandem.image" -}}
{{- printf "%s%s:%s" .root.Values.image.prefix .part (default .root.Chart.AppVersion .root.Values.image.tag) -}}
{{- end -}}

{{- define "tandem.metadata" -}}
name: {{ include "tandem.fullname" .root }}-{{ .part }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "tandem.labels" . | nindent 2 }}
{{- end -}}

{{/* Name and key of the Secret with the key ring. */}}
{{- define "tandem.keyRingSecret" -}}
{{- $secrets := .Values.secrets -}}
{{- if and $secrets.existingSecret $secrets.keyRing -}}
{{- fail "Set secrets.existingSecret or secrets.keyRing, not both." -}}
{{- end -}}
{{- if not (or $secrets.existingSecret $secrets.keyRing) -}}
{{- fail "No key ring is given: set secrets.existingSecret to the name of a Secret whose key secrets.existingSecretKey holds the ring as JSON, or secrets.keyRing to the ring itself. docs/operations/README.md says how to make one." -}}
{{- end -}}
{{- default (printf "%s-secrets" (include "tandem.fullname" .)) $secrets.existingSecret -}}
{{- end -}}

{{- define "tandem.keyRingKey" -}}
{{- ternary .Values.secrets.existingSecretKey "keyRing" (ne .Values.secrets.existingSecret "") -}}
{{- end -}}

{{- define "tandem.keyRingEnv" -}}
- name: TANDEM_CLUSTER_SECRETS
  valueFrom:
    secretKeyRef:
      name: {{ include "tandem.keyRingSecret" . }}
      key: {{ include "tandem.keyRingKey" . }}
{{- end -}}

{{- define "tandem.storeEnv" -}}
{{- $external := .Values.redis.external -}}
- name: TANDEM_STORE_URL
{{- if .Values.redis.bundled }}
  {{- if or $external.url $external.existingSecret }}
  {{- fail "redis.external is set while redis.bundled is true: set redis.bundled to false, or leave redis.external empty." }}
  {{- end }}
  value: redis://{{ include "tandem.fullname" . }}-redis:6379
{{- else if $external.existingSecret }}
  valueFrom:
    secretKeyRef:
      name: {{ $external.existingSecret }}
      key: {{ $external.existingSecretKey }}
{{- else }}
  value: {{ required "redis.bundled is false: set redis.external.url, or redis.external.existingSecret to the name of a Secret with the URL." $external.url | quote }}
{{- end }}
{{- end -}}

{{/* The cluster file: the values' settings, and over them what this chart decides. */}}
{{- define "tandem.clusterFile" -}}
{{- $full := include "tandem.fullname" . -}}
{{- $files := list "resources.yaml" -}}
{{- if .Values.resources.existingSecret -}}
{{- $files = append $files "/etc/tandem-resources" -}}
{{- end -}}
{{- $decided := dict
  "location" (dict "address" (printf "%s-location:50051" $full))
  "policy" (dict "address" (printf "%s-policy:50052" $full))
  "resources" (dict "files" $files) -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $decided) -}}
{{- end -}}

{{/* Restarts pods when what they read has changed. */}}
{{- define "tandem.podAnnotations" -}}
checksum/config: {{ include "tandem.clusterFile" .root | sha256sum }}
{{- if eq .part "policy" }}
checksum/resources: {{ toJson .root.Values.resources.documents | sha256sum }}
{{- end }}
checksum/key-ring: {{ toJson .root.Values.secrets | sha256sum }}
{{- end -}}

{{- define "tandem.podSettings" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  seccompProfile: { type: RuntimeDefault }
{{- $own := index .root.Values .part }}
{{- with $own.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tandem.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* Readiness is the service's own; liveness is its event loop. */}}
{{- define "tandem.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: http }
  periodSeconds: 5
  timeoutSeconds: 3
{{- end -}}
