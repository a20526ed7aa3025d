// SPDX-License-Identifier: MIT
//
// What the tests of the chart share: values for each exposure and kind of Redis, and what `helm` renders of them.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Config, loadConfig } from '@tandem/service-kit'
import { parseAllDocuments, stringify } from 'yaml'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
export const CHART = join(ROOT, 'helm', 'tandem')
export const hasHelm = spawnSync('helm', ['version', '--short']).status === 0

export const folder = mkdtempSync(join(tmpdir(), 'tandem-helm-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

export type Values = { readonly [key: string]: unknown }
export interface Container {
  readonly name: string
  readonly image: string
  readonly env?: readonly {
    name: string
    value?: string
    valueFrom?: { secretKeyRef?: { name: string; key: string } }
  }[]
  readonly ports: readonly { name: string; containerPort: number; protocol: string }[]
  readonly resources: { readonly limits?: Readonly<Record<string, string>> }
  readonly readinessProbe: { readonly httpGet?: { readonly path: string } }
  readonly livenessProbe: { readonly httpGet?: { readonly path: string } }
  readonly volumeMounts: readonly { name: string; mountPath: string }[]
}
export interface PodSpec {
  readonly containers: readonly [Container]
  readonly hostNetwork?: boolean
  readonly terminationGracePeriodSeconds?: number
  readonly volumes?: readonly { name: string; secret?: { secretName: string } }[]
  readonly initContainers?: readonly {
    readonly name: string
    readonly env: readonly { name: string; value?: string }[]
  }[]
  readonly automountServiceAccountToken?: boolean
  readonly serviceAccountName?: string
}
export interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
  readonly spec: {
    readonly type?: string
    readonly clusterIP?: string
    readonly replicas?: number
    readonly ports?: readonly { targetPort: string; port: number; protocol: string }[]
    readonly template?: { readonly spec: PodSpec }
  }
}

export const KEY_RING = [{ id: 1, secret: 'key-for-tests-only-0001' }]
const DOMAIN = { apiVersion: 'tandem/v1', kind: 'Domain', metadata: { name: 'example.test' }, spec: {} }
export const LOAD_BALANCER: Values = {
  secrets: { keyRing: KEY_RING },
  config: {
    edge: { advertisedAddress: '203.0.113.10' },
    logging: { level: 'warn' },
    policy: { challengeOrder: ['MD5'] },
  },
  resources: { documents: [DOMAIN, { ...DOMAIN, metadata: { name: 'second.test' } }] },
}
export const HOST_NETWORK: Values = {
  secrets: { existingSecret: 'my-keys', existingSecretKey: 'ring' },
  edge: { exposure: 'hostNetwork', replicas: 3 },
  config: { edge: { basePort: 6060 }, shutdown: { drainMs: 42_500 } },
  resources: { existingSecret: 'subscribers' },
  redis: { bundled: false, external: { existingSecret: 'redis-url' } },
}
export const EXTERNAL_REDIS: Values = {
  ...LOAD_BALANCER,
  redis: { bundled: false, external: { url: 'rediss://r.test:6380' } },
}
export const SPLIT: Values = {
  secrets: { existingSecret: 'my-keys' },
  edge: {
    exposure: 'split',
    autoscaling: { enabled: true, requestsPerSecond: 500, eventLoopPercent: 60 },
    tls: {
      certManager: { enabled: true, issuerRef: { name: 'le', kind: 'ClusterIssuer' }, dnsNames: ['example.test'] },
    },
  },
  rpcTls: { mode: 'certManager', issuerRef: { name: 'voice-ca' } },
  config: {
    edge: { listeners: { sctp: true } },
    console: { tokens: [{ name: 'helm', role: 'admin', hash: '0123456789abcdef'.repeat(4) }] },
  },
  console: { enabled: true },
  resources: {
    existingConfigMaps: ['routes'],
    applyJob: { enabled: true, configMaps: ['big-a', 'big-b'], image: 'registry.test/set:1', tokenSecret: 'token' },
  },
  redis: {
    bundled: false,
    external: {
      url: 'redis-sentinel://s1.test:26379,s2.test:26379/main',
      tlsSecret: 'redis-tls',
      clientCertificate: true,
    },
  },
  records: { replicas: 2, postgresSecret: 'db' },
  monitoring: { podMonitor: { enabled: true }, annotations: true },
  test: { caller: 'alice@example.test', callee: 'bob@example.test', existingSecret: 'phones' },
}
export const REDIS_CLUSTER: Values = {
  secrets: { existingSecret: 'my-keys' },
  edge: { exposure: 'hostNetwork', addressFrom: 'nodeExternalIP' },
  rpcTls: { mode: 'none' },
  redis: { bundled: false, external: { url: 'redis-cluster://r1.test:6379,r2.test:6379' } },
}
export const BUNDLED: Values = {
  secrets: { existingSecret: 'my-keys' },
  redis: { passwordSecret: 'redis-password' },
}
export const SETS: readonly [string, Values][] = [
  ['loadBalancer with everything bundled', LOAD_BALANCER],
  ['hostNetwork with Secrets made elsewhere', HOST_NETWORK],
  ['an external Redis', EXTERNAL_REDIS],
  ['split with everything', SPLIT],
  ['nodes with external addresses, a Redis Cluster', REDIS_CLUSTER],
  ['the address of the Service', BUNDLED],
]

export function helm(verb: string[], values: Values) {
  const file = join(folder, 'values.yaml')
  writeFileSync(file, stringify(values))
  return spawnSync('helm', [...verb, CHART, '--kube-version', '1.31.0', '-f', file], { encoding: 'utf8' })
}

/** Manifests by release and values: rendering takes most of a second on a slow machine. */
const rendered = new Map<string, readonly Manifest[]>()

export function render(values: Values, release = 'voice'): readonly Manifest[] {
  const key = JSON.stringify([release, values])
  const found = rendered.get(key) ?? renderAnew(values, release)
  rendered.set(key, found)
  return found
}

function renderAnew(values: Values, release: string): Manifest[] {
  const { status, stdout, stderr } = helm(['template', release], values)
  if (status !== 0) throw new Error(stderr)
  return parseAllDocuments(stdout)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null)
}

export const failureOf = (values: Values, release = 'voice') =>
  helm(['template', release], values).stderr.replace(/\s+/g, ' ')
export const find = (all: readonly Manifest[], kind: string, name: string) =>
  all.find((manifest) => manifest.kind === kind && manifest.metadata.name === name)
export const podOf = (manifest: Manifest | undefined) => manifest?.spec.template?.spec as PodSpec
export const workloads = (all: readonly Manifest[]) =>
  all.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')

/** The cluster file as a pod reads it. */
export function clusterFile(all: readonly Manifest[]): Config {
  const data = find(all, 'ConfigMap', 'voice-tandem-config')?.data ?? {}
  for (const [name, text] of Object.entries(data)) writeFileSync(join(folder, name), text)
  return loadConfig({ file: join(folder, 'tandem.yaml'), env: { TANDEM_CLUSTER_SECRETS: JSON.stringify(KEY_RING) } })
}
