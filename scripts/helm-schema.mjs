// SPDX-License-Identifier: MIT
//
// helm/tandem/values.schema.json: the chart's own values (below) and, under `config`, the cluster file's schema without the
// settings that the chart decides. generate.mjs writes it.
import { configJsonSchema } from '@tandem/service-kit/internal'

/** Settings that templates or images set, or that have no meaning in a pod. Each must exist in the cluster's schema. */
const DECIDED_BY_CHART = [
  'cluster.processes',
  'cluster.secrets',
  'store.url',
  'edge.count',
  'edge.index',
  'edge.id',
  'edge.bindAddress',
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
  'resources',
]

const text = (description) => ({ type: 'string', ...(description && { description }) })
const anyMap = { type: 'object' }
const closed = (properties, more = {}) => ({ type: 'object', additionalProperties: false, properties, ...more })
const placement = {
  resources: { ...anyMap, description: 'Requests and limits of the container.' },
  nodeSelector: anyMap,
  tolerations: { type: 'array', items: anyMap },
  affinity: anyMap,
}
const replicas = { type: 'integer', minimum: 1 }
const persistence = closed({ size: { type: 'string', minLength: 1 }, storageClass: text() })
const documents = { type: 'array', items: { type: 'object', required: ['apiVersion', 'kind', 'metadata', 'spec'] } }

function without(schema, path) {
  const [key, ...rest] = path
  if (!Object.hasOwn(schema.properties ?? {}, key)) throw new Error(`no such setting: ${path.join('.')}`)
  const { [key]: found, ...others } = schema.properties
  const inner = rest.length > 0 ? { [key]: without(found, rest) } : {}
  const required = schema.required?.filter((name) => name !== key)
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
    description: 'Settings of the cluster file: docs/configuration.md.',
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
      fullnameOverride: { type: 'string', maxLength: 18 },
      image: closed({
        prefix: text('Images are <prefix><service>:<tag>.'),
        tag: text(),
        pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
        pullSecrets: { type: 'array', items: anyMap },
      }),
      secrets: closed({
        existingSecret: text(),
        existingSecretKey: { type: 'string', minLength: 1 },
        keyRing: { ...keyRing, minItems: 0 },
      }),
      config: passedThrough(),
      resources: closed({ documents, existingSecret: text() }),
      edge: closed({
        replicas,
        exposure: { enum: ['loadBalancer', 'hostNetwork'] },
        service: closed({
          annotations: anyMap,
          externalTrafficPolicy: { enum: ['Local', 'Cluster'] },
          acceptHiddenSources: { type: 'boolean' },
        }),
        preStopSeconds: { type: 'integer', minimum: 0, maximum: 300 },
        ...placement,
      }),
      location: closed({ replicas, ...placement }),
      policy: closed({ replicas, ...placement }),
      records: closed({ persistence, ...placement }),
      redis: closed({
        bundled: { type: 'boolean' },
        image: { type: 'string', minLength: 1 },
        persistence,
        external: closed({ url: text(), existingSecret: text(), existingSecretKey: { type: 'string', minLength: 1 } }),
        ...placement,
      }),
    }),
  }
}
