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

{{/* A file, because a file that changes is read again: a rotation of keys restarts nothing. */}}
{{- define "tandem.keyRingEnv" -}}
- { name: TANDEM_CLUSTER_SECRETS_FILE, value: /etc/tandem-keys/{{ include "tandem.keyRingKey" . }} }
{{- end -}}

{{/* NAME and, where Redis asks for one, its password before the URL that holds it. */}}
{{- define "tandem.storeEnv" -}}
{{- $redis := .Values.redis -}}
{{- $external := $redis.external -}}
{{- $url := printf "redis://%s-redis:6379" (include "tandem.fullname" .) -}}
{{- if and $redis.bundled (or $external.url $external.existingSecret) -}}
{{- fail "redis.external is set while redis.bundled is true: set redis.bundled to false, or leave redis.external empty." -}}
{{- end -}}
{{- if and $redis.bundled $redis.passwordSecret -}}
{{- $url = printf "redis://:$(REDIS_PASSWORD)@%s-redis:6379" (include "tandem.fullname" .) -}}
- name: REDIS_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ $redis.passwordSecret }}, key: {{ $redis.passwordKey }} } }
{{ end -}}
- name: TANDEM_STORE_URL
{{- if $redis.bundled }}
  value: {{ $url | quote }}
{{- else if $external.existingSecret }}
  valueFrom:
    secretKeyRef:
      name: {{ $external.existingSecret }}
      key: {{ $external.existingSecretKey }}
{{- else }}
  value: {{ required "redis.bundled is false: set redis.external.url, or redis.external.existingSecret to the name of a Secret with the URL." $external.url | quote }}
{{- end }}
{{- end -}}

{{/* Name of the Secret with the certificate that a part shows other parts, '' where there is none: dict "root" $ "part" "edge" */}}
{{- define "tandem.rpcSecret" -}}
{{- $rpc := .root.Values.rpcTls -}}
{{- if eq $rpc.mode "existingSecret" -}}
{{- get $rpc.existingSecrets .part | default $rpc.existingSecret | required (printf "rpcTls.mode is existingSecret: set rpcTls.existingSecret, or rpcTls.existingSecrets.%s, to the name of a Secret with tls.crt, tls.key and ca.crt." .part) -}}
{{- else if ne $rpc.mode "none" -}}
{{- include "tandem.fullname" .root }}-rpc-{{ .part }}
{{- end -}}
{{- end -}}

{{/* Part → the names that its certificate proves: its own, and nobody else's. */}}
{{- define "tandem.rpcNames" -}}
{{- $names := dict -}}
{{- range $part := list "edge" "location" "policy" "records" "console" -}}
{{- $own := printf "%s-%s" (include "tandem.fullname" $) $part -}}
{{- $_ := set $names $part (list $own (printf "%s.%s.svc" $own $.Release.Namespace)) -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{/* explicit, service, node, nodeExternalIP or metadata */}}
{{- define "tandem.addressFrom" -}}
{{- $edge := .Values.config.edge -}}
{{- $isHost := eq .Values.edge.exposure "hostNetwork" -}}
{{- if or $edge.advertisedAddress (dig "loadBalancerAddress" "" $edge) (dig "advertised" "udp" "" $edge) -}}
{{- if $isHost -}}
{{- fail "edge.exposure is hostNetwork: leave config.edge.advertisedAddress empty, because every edge has its node's own address." -}}
{{- end -}}
explicit
{{- else if eq .Values.edge.addressFrom "auto" -}}
{{- ternary "node" "service" $isHost -}}
{{- else -}}
{{- if and $isHost (eq .Values.edge.addressFrom "service") -}}
{{- fail "edge.exposure is hostNetwork: there is no Service whose address edges could take. Set edge.addressFrom to node, nodeExternalIP or metadata." -}}
{{- end -}}
{{- .Values.edge.addressFrom -}}
{{- end -}}
{{- end -}}

{{/* Names of the Services that phones reach, as a JSON list. */}}
{{- define "tandem.edgeServices" -}}
{{- $full := include "tandem.fullname" . -}}
{{- if eq .Values.edge.exposure "loadBalancer" -}}
{{- list (printf "%s-edge" $full) | toJson -}}
{{- else if eq .Values.edge.exposure "split" -}}
{{- list (printf "%s-edge-udp" $full) (printf "%s-edge-tcp" $full) | toJson -}}
{{- else -}}
{{- list | toJson -}}
{{- end -}}
{{- end -}}

{{/* The cluster file: the values' settings, and over them what this chart decides. */}}
{{- define "tandem.clusterFile" -}}
{{- $full := include "tandem.fullname" . -}}
{{- $files := list "resources.yaml" -}}
{{- range .Values.resources.existingConfigMaps -}}
{{- $files = append $files (printf "/etc/tandem-resources/%s" .) -}}
{{- end -}}
{{- with .Values.resources.existingSecret -}}
{{- $files = append $files (printf "/etc/tandem-resources/%s" .) -}}
{{- end -}}
{{- $decided := dict
  "location" (dict "address" (printf "%s-location:50051" $full))
  "policy" (dict "address" (printf "%s-policy:50052" $full))
  "console" (dict "address" (printf "https://%s-console:8080" $full))
  "resources" (dict "files" $files) -}}
{{- $hasTls := ne .Values.rpcTls.mode "none" -}}
{{- if $hasTls -}}
{{- $_ := set $decided "rpc" (dict "tls" (dict "certFile" "/etc/tandem-rpc/tls.crt" "keyFile" "/etc/tandem-rpc/tls.key" "caFile" "/etc/tandem-rpc/ca.crt")) -}}
{{- end -}}
{{- if .Values.console.tls.existingSecret -}}
{{- $_ := set $decided.console "tls" (dict "certFile" "/etc/tandem-console/tls.crt" "keyFile" "/etc/tandem-console/tls.key") -}}
{{- else if $hasTls -}}
{{- $_ := set $decided.console "tls" (dict "certFile" "/etc/tandem-rpc/tls.crt" "keyFile" "/etc/tandem-rpc/tls.key") -}}
{{- end -}}
{{- if include "tandem.sipTlsSecret" . -}}
{{- $certificates := list (dict "certFile" "/etc/tandem-sip/tls.crt" "keyFile" "/etc/tandem-sip/tls.key") -}}
{{- $_ := set $decided "edge" (dict "tls" (dict "certificates" $certificates)) -}}
{{- end -}}
{{- with .Values.redis.external -}}
{{- if .tlsSecret -}}
{{- $tls := dict "caFile" "/etc/tandem-redis/ca.crt" -}}
{{- if .clientCertificate -}}
{{- $tls = merge $tls (dict "certFile" "/etc/tandem-redis/tls.crt" "keyFile" "/etc/tandem-redis/tls.key") -}}
{{- end -}}
{{- $_ := set $decided "store" (dict "tls" $tls) -}}
{{- end -}}
{{- end -}}
{{- $settings := mergeOverwrite (deepCopy .Values.config) $decided -}}
{{- range .Values.console.tokens -}}
{{- $entry := dict "name" .name "role" .role "hash" (dict "file" (printf "/etc/tandem-tokens/%s/%s" .secret .key)) -}}
{{- $_ := set $settings.console "tokens" (append (dig "tokens" list $settings.console) $entry) -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end -}}

{{- define "tandem.sipTlsSecret" -}}
{{- $tls := .Values.edge.tls -}}
{{- if $tls.certManager.enabled -}}
{{- include "tandem.fullname" . }}-sip
{{- else -}}
{{- $tls.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* Restarts pods when what they read has changed. Certificates and the key ring are not among it: they are read anew. */}}
{{- define "tandem.podAnnotations" -}}
checksum/config: {{ include "tandem.clusterFile" .root | sha256sum }}
{{- if has .part (list "policy" "location") }}
checksum/resources: {{ toJson .root.Values.resources.documents | sha256sum }}
{{- end }}
{{- range $name, $text := .root.Values.podAnnotations }}
{{ $name }}: {{ $text | toString | quote }}
{{- end }}
{{- if .root.Values.monitoring.annotations }}
prometheus.io/scrape: 'true'
prometheus.io/path: /metrics
prometheus.io/port: {{ .http | quote }}
{{- end }}
{{- end -}}

{{/* What selects the pod, and labels of yours. */}}
{{- define "tandem.podLabels" -}}
{{- merge (include "tandem.selectorLabels" . | fromYaml) .root.Values.podLabels | toYaml -}}
{{- end -}}

{{- define "tandem.podSettings" -}}
{{- $own := index .root.Values .part -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .serviceAccount }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  seccompProfile: { type: RuntimeDefault }
{{- with $own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $own.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- else }}
{{- if .spread }}
affinity:
  podAntiAffinity:
    {{- if .onePerNode }}
    # The ports of a node can't be held twice.
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{- include "tandem.selectorLabels" . | nindent 12 }}
    {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "tandem.selectorLabels" . | nindent 14 }}
    {{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "tandem.selectorLabels" . | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "tandem.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* Shared dependencies gate the start alone; liveness is the event loop. */}}
{{- define "tandem.probes" -}}
startupProbe:
  httpGet: { path: /startupz, port: http }
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 180
livenessProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: http }
  periodSeconds: {{ .readinessSeconds | default 5 }}
  timeoutSeconds: 3
  failureThreshold: {{ .readinessFailures | default 3 }}
{{- end -}}

{{/* MiB of the JavaScript heap's old generation for a memory limit. With the young one, 96 MiB in a process that serves (three times
--max-semi-space-size), the heap may have two thirds of the limit; the rest is for buffers and code. */}}
{{- define "tandem.heapMiB" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9.]+" $text | float64 -}}
{{- $unit := regexReplaceAll "^[0-9.]+" $text "" -}}
{{- $scale := get (dict "" 0.00000095367 "k" 0.00095367 "Ki" 0.0009765625 "M" 0.95367 "Mi" 1.0 "G" 953.67 "Gi" 1024.0 "T" 953674.0 "Ti" 1048576.0) $unit -}}
{{- if not $scale -}}
{{- fail (printf "resources.limits.memory %q: expected a quantity such as 512Mi or 2Gi." $text) -}}
{{- end -}}
{{- $heap := mulf $number $scale 0.6667 | floor | int -}}
{{- max (sub $heap 96) (div $heap 2) -}}
{{- end -}}

{{/* What every container of ours has: environment that does not depend on the part. */}}
{{- define "tandem.commonEnv" -}}
{{- include "tandem.keyRingEnv" .root }}
{{- $own := index .root.Values .part }}
{{- with dig "limits" "memory" "" $own.resources }}
- name: NODE_OPTIONS
  value: --max-old-space-size={{ include "tandem.heapMiB" . }}
{{- end }}
{{- if ne (dig "telemetry" "traces" "exporter" "off" .root.Values.config) "off" }}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- { name: OTEL_RESOURCE_ATTRIBUTES, value: "k8s.namespace.name={{ .root.Release.Namespace }},k8s.pod.name=$(POD_NAME)" }
{{- end }}
{{- with $own.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tandem.commonMounts" -}}
- { name: config, mountPath: /etc/tandem, readOnly: true }
- { name: keys, mountPath: /etc/tandem-keys, readOnly: true }
{{- if include "tandem.rpcSecret" . }}
- { name: rpc, mountPath: /etc/tandem-rpc, readOnly: true }
{{- end }}
{{- with (index .root.Values .part).extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tandem.commonVolumes" -}}
- name: config
  configMap: { name: {{ include "tandem.fullname" .root }}-config }
- name: keys
  secret:
    secretName: {{ include "tandem.keyRingSecret" .root }}
    defaultMode: 0440
    items: [{ key: {{ include "tandem.keyRingKey" .root }}, path: {{ include "tandem.keyRingKey" .root }} }]
{{- with include "tandem.rpcSecret" . }}
- name: rpc
  secret: { secretName: {{ . }}, defaultMode: 0440 }
{{- end }}
{{- with (index .root.Values .part).extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of location and policy: resources, and Redis' certificates. */}}
{{- define "tandem.storeMounts" -}}
{{- range .Values.resources.existingConfigMaps }}
- { name: resources-{{ . }}, mountPath: /etc/tandem-resources/{{ . }}, readOnly: true }
{{- end }}
{{- with .Values.resources.existingSecret }}
- { name: resources, mountPath: /etc/tandem-resources/{{ . }}, readOnly: true }
{{- end }}
{{- if .Values.redis.external.tlsSecret }}
- { name: redis, mountPath: /etc/tandem-redis, readOnly: true }
{{- end }}
{{- end -}}

{{- define "tandem.storeVolumes" -}}
{{- range .Values.resources.existingConfigMaps }}
- name: resources-{{ . }}
  configMap: { name: {{ . }} }
{{- end }}
{{- with .Values.resources.existingSecret }}
- name: resources
  secret: { secretName: {{ . }}, defaultMode: 0440 }
{{- end }}
{{- with .Values.redis.external.tlsSecret }}
- name: redis
  secret: { secretName: {{ . }}, defaultMode: 0440 }
{{- end }}
{{- end -}}

{{/* A Deployment and its headless Service: dict "root" $ "part" "policy" "user" 10001 "grpc" 50052 "http" 9565 */}}
{{- define "tandem.storeService" -}}
{{- $own := index .root.Values .part -}}
{{- $part := merge (dict "spread" true) . -}}
apiVersion: apps/v1
kind: Deployment
metadata: {{- include "tandem.metadata" $part | nindent 2 }}
spec:
  replicas: {{ $own.replicas }}
  strategy:
    type: RollingUpdate
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  selector:
    matchLabels: {{- include "tandem.selectorLabels" $part | nindent 6 }}
  template:
    metadata:
      labels: {{- include "tandem.podLabels" $part | nindent 8 }}
      annotations: {{- include "tandem.podAnnotations" $part | nindent 8 }}
    spec:
      {{- include "tandem.podSettings" $part | nindent 6 }}
      terminationGracePeriodSeconds: 30
      containers:
        - name: {{ .part }}
          image: {{ include "tandem.image" $part }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          env:
            {{- include "tandem.commonEnv" $part | nindent 12 }}
            {{- include "tandem.storeEnv" .root | nindent 12 }}
          ports:
            - { name: grpc, containerPort: {{ .grpc }}, protocol: TCP }
            - { name: http, containerPort: {{ .http }}, protocol: TCP }
          {{- include "tandem.probes" . | nindent 10 }}
          {{- include "tandem.containerSecurity" . | nindent 10 }}
          resources: {{- toYaml $own.resources | nindent 12 }}
          volumeMounts:
            {{- include "tandem.commonMounts" $part | nindent 12 }}
            {{- include "tandem.storeMounts" .root | nindent 12 }}
      volumes:
        {{- include "tandem.commonVolumes" $part | nindent 8 }}
        {{- include "tandem.storeVolumes" .root | nindent 8 }}
---
# Headless: edges keep a stream to every replica, ready or not, because a store that is away must not cut them off.
apiVersion: v1
kind: Service
metadata: {{- include "tandem.metadata" $part | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {{- include "tandem.selectorLabels" $part | nindent 4 }}
  ports:
    - { name: grpc, port: {{ .grpc }}, targetPort: grpc, protocol: TCP }
    - { name: http, port: {{ .http }}, targetPort: http, protocol: TCP }
---
{{ include "tandem.disruptionBudget" (merge (dict "maxUnavailable" $own.maxUnavailable) $part) }}
{{- end -}}

{{- define "tandem.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "tandem.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ .maxUnavailable }}
  selector:
    matchLabels: {{- include "tandem.selectorLabels" . | nindent 6 }}
{{- end -}}

{{/* Of the Job and the CronJob that make gRPC's certificates. */}}
{{- define "tandem.rpcJobSpec" -}}
{{- $name := printf "%s-rpc" (include "tandem.fullname" .root) -}}
backoffLimit: 5
activeDeadlineSeconds: 300
template:
  metadata:
    labels: {{- include "tandem.selectorLabels" . | nindent 6 }}
  spec:
    serviceAccountName: {{ $name }}
    restartPolicy: OnFailure
    enableServiceLinks: false
    {{- with .root.Values.image.pullSecrets }}
    imagePullSecrets: {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      runAsNonRoot: true
      runAsUser: 10001
      runAsGroup: 10001
      seccompProfile: { type: RuntimeDefault }
    containers:
      - name: certificates
        image: {{ include "tandem.image" (dict "root" .root "part" "edge") }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        command: [node, /app/kubernetes/certificates.mjs]
        env:
          - { name: SECRET, value: {{ $name }} }
          - { name: NAMES, value: {{ include "tandem.rpcNames" .root | quote }} }
          - { name: NODE_EXTRA_CA_CERTS, value: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt }
        {{- include "tandem.containerSecurity" . | nindent 8 }}
        resources:
          requests: { cpu: 10m, memory: 64Mi }
          limits: { memory: 128Mi }
{{- end -}}
