// SPDX-License-Identifier: MIT
//
// helm/tandem/values.schema.json: the chart's own values (below) and, under `config`, the cluster file's schema without the
// settings that the chart decides. generate.mjs writes it.
import { configJsonSchema } from '@tandem/service-kit/internal'

/** Settings that templates or images set, or that have no meaning in a pod. Each must exist in the cluster's schema. */
const DECIDED_BY_CHART = [
  'cluster.processes',
  'cluster.secrets',
  'cluster.secretsFile',
  'store.url',
  'edge.count',
  'edge.index',
  'edge.id',
  'edge.advertisedFrom',
  'edge.bindAddress',
  'edge.loadBalancerAddressFile',
  'edge.nodeAddress',
  'edge.sharedAddress',
  'edge.httpAddress',
  'location.bindAddress',
  'location.grpcPort',
  'location.httpPort',
  'location.address',
  'policy.bindAddress',
  'policy.grpcPort',
  'policy.httpPort',
  'policy.address',
  'records.bindAddress',
  'records.httpPort',
  'records.file',
  'records.node',
  'console.address',
  'console.audit.file',
  'console.bindAddress',
  'console.port',
  'console.grpcPort',
  'console.httpAddress',
  'console.httpPort',
  'rpc.tls.certFile',
  'rpc.tls.keyFile',
  'rpc.tls.caFile',
  'resources',
]

const text = (description) => ({ type: 'string', ...(description && { description }) })
const anyMap = { type: 'object' }
const closed = (properties, more = {}) => ({ type: 'object', additionalProperties: false, properties, ...more })
const maps = { type: 'array', items: anyMap }
const names = { type: 'array', items: { type: 'string', minLength: 1 } }
const flag = { type: 'boolean' }
const whole = (minimum, maximum) => ({ type: 'integer', minimum, ...(maximum !== undefined && { maximum }) })
const key = { type: 'string', minLength: 1 }
const placement = {
  resources: { ...anyMap, description: 'Requests and limits of the container.' },
  priorityClassName: text('Of the pods; the class must exist.'),
  nodeSelector: { ...anyMap, description: 'Labels of the nodes that pods may run on.' },
  tolerations: { ...maps, description: 'Taints of nodes that pods put up with.' },
  affinity: { ...anyMap, description: 'Instead of the chart’s own.' },
}
const extra = {
  extraEnv: { ...maps, description: 'Further environment of the container, e.g. what a Secret holds.' },
  extraVolumes: { ...maps, description: 'Further volumes of the pod.' },
  extraVolumeMounts: { ...maps, description: 'Where the container has them.' },
}
const replicas = { ...whole(1), description: 'How many pods.' }
const maxUnavailable = { type: ['integer', 'string'], description: 'Of the PodDisruptionBudget.' }
const persistence = closed({
  size: { type: 'string', minLength: 1, description: 'Of the volume of each pod.' },
  storageClass: text(),
})
const documents = { type: 'array', items: { type: 'object', required: ['apiVersion', 'kind', 'metadata', 'spec'] } }

const resources = closed({
  documents,
  existingConfigMaps: names,
  existingSecret: text(),
  applyJob: closed({
    enabled: flag,
    configMaps: names,
    secrets: names,
    image: text(),
    path: key,
    tokenSecret: text(),
    tokenKey: key,
    prune: flag,
  }),
})

const edge = closed({
  replicas,
  exposure: { enum: ['loadBalancer', 'split', 'hostNetwork'] },
  addressFrom: { enum: ['auto', 'service', 'node', 'nodeExternalIP', 'metadata'] },
  addressWaitSeconds: whole(0, 3_600),
  service: closed({
    annotations: anyMap,
    udpAnnotations: anyMap,
    tcpAnnotations: anyMap,
    loadBalancerIP: text(),
    loadBalancerClass: text(),
    loadBalancerSourceRanges: names,
    externalTrafficPolicy: { enum: ['Local', 'Cluster'] },
    acceptHiddenSources: flag,
  }),
  tls: closed({
    existingSecret: text(),
    certManager: closed({ enabled: flag, issuerRef: anyMap, dnsNames: names }),
  }),
  minReadySeconds: whole(0, 600),
  preStopSeconds: whole(0, 300),
  autoscaling: closed({
    enabled: flag,
    minReplicas: replicas,
    maxReplicas: replicas,
    cpu: whole(0, 100),
    requestsPerSecond: whole(0),
    eventLoopPercent: whole(0, 100),
    scaleInAfterSeconds: whole(0, 3_600),
    scaleInEverySeconds: whole(1, 1_800),
  }),
  maxUnavailable,
  ...placement,
  ...extra,
})

const redis = closed({
  bundled: flag,
  image: key,
  passwordSecret: text(),
  passwordKey: key,
  persistence,
  external: closed({
    url: text(),
    existingSecret: text(),
    existingSecretKey: key,
    tlsSecret: text(),
    clientCertificate: flag,
  }),
  ...placement,
})

const consoleToken = closed({ name: key, role: { enum: ['read', 'operate', 'admin'] }, secret: key, key })

const monitoring = closed({
  podMonitor: closed({ enabled: flag, interval: key, labels: anyMap }),
  serviceMonitor: closed({ enabled: flag, interval: key, labels: anyMap }),
  prometheusRule: closed({ enabled: flag, labels: anyMap }),
  dashboards: closed({ enabled: flag, labels: anyMap }),
  annotations: flag,
})

function without(schema, path) {
  const [name, ...rest] = path
  if (!Object.hasOwn(schema.properties ?? {}, name)) throw new Error(`no such setting: ${path.join('.')}`)
  const { [name]: found, ...others } = schema.properties
  const inner = rest.length > 0 ? { [name]: without(found, rest) } : {}
  const required = schema.required?.filter((other) => other !== name)
  return { ...schema, properties: { ...others, ...inner }, ...(required && { required }) }
}

/** JSON Schema of the cluster file as the chart passes it through. */
function passedThrough() {
  const { $schema: _, ...schema } = DECIDED_BY_CHART.reduce(
    (left, path) => without(left, path.split('.')),
    configJsonSchema(),
  )
  return {
    ...schema,
    required: ['shutdown', 'edge'],
    description: 'Settings of the cluster file: docs/reference/configuration.md.',
  }
}

/** The chart's values as JSON Schema (draft 7, which every Helm 3 reads). */
export function helmValuesSchema() {
  const keyRing = configJsonSchema().properties.cluster.properties.secrets
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the Tandem chart',
    ...closed({
      global: { ...anyMap, description: 'Put there by Helm where this chart is a dependency; not read.' },
      nameOverride: text(),
      podLabels: anyMap,
      podAnnotations: anyMap,
      fullnameOverride: { type: 'string', maxLength: 18 },
      image: closed({
        prefix: text('Images are <prefix><service>:<tag>.'),
        tag: text(),
        pullPolicy: { description: 'When a node pulls an image.', enum: ['Always', 'IfNotPresent', 'Never'] },
        pullSecrets: { type: 'array', items: anyMap, description: 'Of the registry: [{ name: … }].' },
      }),
      secrets: closed({
        existingSecret: text(),
        existingSecretKey: { type: 'string', minLength: 1, description: 'Its key with the ring.' },
        keyRing: { ...keyRing, minItems: 0 },
      }),
      config: passedThrough(),
      resources,
      rpcTls: closed({
        mode: { enum: ['job', 'certManager', 'existingSecret', 'none'] },
        existingSecret: text(),
        existingSecrets: closed(
          Object.fromEntries(['edge', 'location', 'policy', 'records', 'console'].map((part) => [part, key])),
        ),
        issuerRef: anyMap,
      }),
      edge,
      location: closed({ replicas, maxUnavailable, ...placement, ...extra }),
      policy: closed({ replicas, maxUnavailable, ...placement, ...extra }),
      records: closed({ replicas, persistence, postgresSecret: text(), postgresKey: key, ...placement, ...extra }),
      console: closed({
        enabled: flag,
        replicas,
        tokens: { type: 'array', items: { ...consoleToken, required: ['name', 'role', 'secret', 'key'] } },
        tls: closed({ existingSecret: text() }),
        ...placement,
        ...extra,
      }),
      redis,
      networkPolicy: closed({ enabled: flag, metricsFrom: maps, consoleFrom: maps }),
      monitoring,
      test: closed({ caller: text(), callee: text(), existingSecret: text(), callerKey: key, calleeKey: key }),
    }),
  }
}
