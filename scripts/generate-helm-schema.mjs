// SPDX-License-Identifier: MIT
//
// helm/tandem/values.schema.json: the chart's own values (below) and, under `config`, the cluster file's schema without the
// settings that the chart decides. Writes the file; with `--check` it only says whether it has drifted.
// Runs from sources: node --conditions=@tandem/source.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { configJsonSchema } from '@tandem/service-kit/internal'
import { ROOT } from './bootstrap.mjs'

const FILE = join(ROOT, 'helm', 'tandem', 'values.schema.json')

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
function helmValuesSchema() {
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
        service: closed({ annotations: anyMap, externalTrafficPolicy: { enum: ['Local', 'Cluster'] } }),
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

/** Whether the file says what the code says, however it is formatted. */
const hasDrifted = () =>
  !existsSync(FILE) || !isDeepStrictEqual(JSON.parse(readFileSync(FILE, 'utf8')), helmValuesSchema())

function write() {
  writeFileSync(FILE, JSON.stringify(helmValuesSchema()))
  const { status } = spawnSync(join(ROOT, 'node_modules/.bin/biome'), ['format', '--write', FILE], { stdio: 'inherit' })
  return status ?? 1
}

const isCheck = process.argv.includes('--check')
const drifted = hasDrifted()
if (drifted && isCheck) console.error('helm/tandem/values.schema.json has drifted: run this script without --check')
if (drifted) process.exitCode = isCheck ? 1 : write()
