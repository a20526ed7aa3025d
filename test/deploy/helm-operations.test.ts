// SPDX-License-Identifier: MIT
//
// What of the chart keeps a cluster running: upgrades that change only what has changed, placement, disruption, scaling, the heap, monitoring,
// the admin API's tokens, the key ring's file. Needs `helm` on the PATH. Leaves out what a scheduler and controllers make of it.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  CHART,
  clusterFile,
  failureOf,
  find,
  hasHelm,
  helm,
  LOAD_BALANCER,
  type Manifest,
  podOf,
  render,
  SETS,
  SPLIT,
  type Values,
  workloads,
} from './chart.ts'

if (!hasHelm) console.warn('test/deploy/helm-operations.test.ts is skipped: there is no `helm` on the PATH')

interface Templated {
  readonly selector: { readonly matchLabels: object }
  readonly template: { readonly spec: object; readonly metadata: object }
}

const PARTS = ['edge', 'location', 'policy']
const specOf = (all: readonly Manifest[], kind: string, name: string) =>
  find(all, kind, name)?.spec as unknown as Record<string, never> | undefined

it('templates ask nothing of the cluster, of the clock or of chance: GitOps renders what is installed', () => {
  const texts = globSync('templates/**/*', { cwd: CHART })
    .filter((name) => /\.(yaml|tpl|txt)$/.test(name))
    .map((name) => readFileSync(join(CHART, name), 'utf8'))
  expect(texts.length).toBeGreaterThan(15)
  const calls = texts.flatMap((text) => [
    ...text.matchAll(/\b(lookup|rand\w+|now|uuidv4|gen(?:CA|Signed|Self|Private)\w*|derivePassword)\b/g),
  ])
  expect(calls.map(([word]) => word).filter((word) => word !== 'now')).toEqual([])
})

describe.skipIf(!hasHelm)('the chart in operation (needs `helm` on the PATH)', () => {
  const again = (values: Values) => helm(['template', 'voice'], values).stdout

  it.each(SETS)('renders the same twice: %s', (_, values) => {
    expect(again(values)).toBe(again(values))
  })

  it('a change of one setting changes the pods that read it; another ring or certificate changes none', () => {
    const before = workloads(render(LOAD_BALANCER))
    const rotated = {
      ...LOAD_BALANCER,
      secrets: {
        keyRing: [
          { id: 2, secret: 'another-key-for-tests-0002' },
          { id: 1, secret: 'key-for-tests-only-0001' },
        ],
      },
    }
    expect(workloads(render(rotated))).toEqual(before)
    const quieter = workloads(
      render({ ...LOAD_BALANCER, config: { ...(LOAD_BALANCER.config as object), logging: { level: 'error' } } }),
    )
    const changed = quieter.filter((manifest, at) => JSON.stringify(manifest) !== JSON.stringify(before[at]))
    expect(changed.map(({ metadata }) => metadata.name.replace('voice-tandem-', '')).sort()).toEqual([
      'edge',
      'location',
      'policy',
      'records',
    ])
    const more = workloads(render({ ...LOAD_BALANCER, resources: { documents: [] } }))
    const reading = more.filter((manifest, at) => JSON.stringify(manifest) !== JSON.stringify(before[at]))
    expect(reading.map(({ metadata }) => metadata.name.replace('voice-tandem-', '')).sort()).toEqual([
      'location',
      'policy',
    ])
  })

  it('the heap follows the memory limit', () => {
    const limits = { memory: '1536Mi' }
    const all = render({ ...LOAD_BALANCER, edge: { resources: { limits } } })
    const env = (part: string) => podOf(find(all, 'Deployment', `voice-tandem-${part}`)).containers[0].env
    expect(env('edge')).toContainEqual({ name: 'NODE_OPTIONS', value: '--max-old-space-size=928' })
    expect(env('policy')).toContainEqual({ name: 'NODE_OPTIONS', value: '--max-old-space-size=245' })
  })

  it.each([
    ['256Mi', 181],
    ['512Mi', 341],
    ['1Gi', 682],
    ['2G', 1271],
  ])(
    'a process that serves with a memory limit of %s really has at most %i MiB of heap, and leaves a third of the limit',
    (memory, mebibytes) => {
      const all = render({ ...LOAD_BALANCER, location: { resources: { limits: { memory } } } })
      const env = podOf(find(all, 'Deployment', 'voice-tandem-location')).containers[0].env ?? []
      const NODE_OPTIONS = env.find(({ name }) => name === 'NODE_OPTIONS')?.value ?? ''
      const script = "console.log(require('node:v8').getHeapStatistics().heap_size_limit / 1048576)"
      // cli/src/engine.ts
      const young = ['--min-semi-space-size=32', '--max-semi-space-size=32']
      const given = { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS } } as const
      const heap = Number(spawnSync(process.execPath, [...young, '-e', script], given).stdout)
      expect(heap).toBeGreaterThan(mebibytes * 0.95)
      expect(heap).toBeLessThanOrEqual(mebibytes + 1)
    },
  )

  it('an edge begins to drain, and waits before its end, by a program that its image has', async () => {
    const asked: string[] = []
    const http = createServer(({ method, url }, response) => {
      asked.push(`${method} ${url}`)
      response.end()
    })
    await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve))
    const { port } = http.address() as AddressInfo
    const all = render({ ...LOAD_BALANCER, edge: { preStopSeconds: 1 }, config: { edge: { httpPort: port } } })
    const { lifecycle } = podOf(find(all, 'Deployment', 'voice-tandem-edge')).containers[0] as never as {
      lifecycle: { preStop: { exec: { command: string[] } } }
    }
    const [program, ...args] = lifecycle.preStop.exec.command
    expect(program).toBe('node')
    const before = performance.now()
    const [status] = await once(spawn(process.execPath, args), 'exit')
    expect(performance.now() - before).toBeGreaterThan(950)
    expect([status, asked]).toEqual([0, ['POST /drain']])
    http.closeAllConnections()
    http.close()
  })

  it('pods are spread over nodes and zones, and go one at a time', () => {
    const all = render(LOAD_BALANCER)
    for (const part of PARTS) {
      const pod = podOf(find(all, 'Deployment', `voice-tandem-${part}`)) as unknown as Record<string, unknown>
      expect(JSON.stringify(pod.affinity)).toContain('"preferredDuringSchedulingIgnoredDuringExecution"')
      expect(pod.topologySpreadConstraints).toMatchObject([
        { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' },
      ])
      expect(specOf(all, 'PodDisruptionBudget', `voice-tandem-${part}`)).toMatchObject({ maxUnavailable: 1 })
      expect(specOf(all, 'Deployment', `voice-tandem-${part}`)).toMatchObject({
        strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      })
    }
    expect(specOf(all, 'Deployment', 'voice-tandem-edge')).toMatchObject({ minReadySeconds: 10 })
  })

  it('takes priority classes, selectors, tolerations and labels', () => {
    const own = {
      priorityClassName: 'calls',
      nodeSelector: { pool: 'sip' },
      tolerations: [{ key: 'sip', operator: 'Exists' }],
    }
    const values = {
      ...LOAD_BALANCER,
      edge: own,
      policy: own,
      podLabels: { team: 'voice' },
      podAnnotations: { mesh: 'none' },
    }
    const all = render(values)
    for (const part of ['edge', 'policy']) {
      const { template } = specOf(all, 'Deployment', `voice-tandem-${part}`) as never as Templated
      expect(template.spec).toMatchObject(own)
      expect(template.metadata).toMatchObject({ labels: { team: 'voice' }, annotations: { mesh: 'none' } })
    }
    const { selector } = specOf(all, 'Deployment', 'voice-tandem-edge') as never as Templated
    expect(selector.matchLabels).not.toHaveProperty('team')
  })

  it('scales out at once and in slowly, by CPU and by SIP', () => {
    const scaler = specOf(render(SPLIT), 'HorizontalPodAutoscaler', 'voice-tandem-edge')
    expect(scaler).toMatchObject({
      minReplicas: 2,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu' } },
        { type: 'Pods', pods: { metric: { name: 'tandem_sip_requests_per_second' } } },
        { type: 'Pods', pods: { metric: { name: 'tandem_event_loop_percent' } } },
      ],
      behavior: {
        scaleUp: { stabilizationWindowSeconds: 0 },
        scaleDown: { stabilizationWindowSeconds: 600, policies: [{ type: 'Pods', value: 1, periodSeconds: 180 }] },
      },
    })
    const byCpu = render({ ...LOAD_BALANCER, edge: { autoscaling: { enabled: true } } })
    expect(specOf(byCpu, 'HorizontalPodAutoscaler', 'voice-tandem-edge')?.metrics).toHaveLength(1)
  })

  it('a ServiceMonitor finds a port of every part by its Services', () => {
    const values = { ...SPLIT, monitoring: { serviceMonitor: { enabled: true } } }
    const all = render(values)
    const monitor = specOf(all, 'ServiceMonitor', 'voice-tandem')
    expect(monitor?.endpoints).toEqual([{ port: 'http', path: '/metrics', interval: '15s' }])
    const scraped = all
      .filter(
        ({ kind, spec }) =>
          kind === 'Service' && (spec.ports as readonly { name?: string }[]).some(({ name }) => name === 'http'),
      )
      .map(
        ({ metadata }) =>
          (metadata as never as { labels: Record<string, string> }).labels['app.kubernetes.io/component'],
      )
    expect(scraped.sort()).toEqual(['console', 'edge', 'location', 'policy', 'records'])
    const both = { podMonitor: { enabled: true }, serviceMonitor: { enabled: true } }
    expect(failureOf({ ...LOAD_BALANCER, monitoring: both })).toContain('every pod is scraped twice')
  })

  it('alerts and dashboards, whole', () => {
    const monitoring = { prometheusRule: { enabled: true }, dashboards: { enabled: true } }
    const all = render({ ...LOAD_BALANCER, monitoring })
    const groups = specOf(all, 'PrometheusRule', 'voice-tandem')?.groups as unknown as { rules: { alert: string }[] }[]
    expect(groups.flatMap(({ rules }) => rules).map(({ alert }) => alert)).toContain('TandemCertificateEnds')
    const boards = all.filter(({ metadata }) => metadata.name.startsWith('voice-tandem-dashboard-'))
    expect(boards.length).toBeGreaterThanOrEqual(6)
    for (const { data = {} } of boards)
      for (const text of Object.values(data)) expect(JSON.parse(text)).toHaveProperty('panels')
  })

  it('tokens of the admin API stand in Secrets, mounted in its pod alone', () => {
    const tokens = [
      { name: 'ci', role: 'operate', secret: 'admin-tokens', key: 'ci' },
      { name: 'desk', role: 'read', secret: 'admin-tokens', key: 'desk' },
    ]
    const all = render({ ...LOAD_BALANCER, console: { enabled: true, tokens } })
    const found = clusterFile(all).console.tokens
    expect(found).toEqual([
      { name: 'ci', role: 'operate', hash: { file: '/etc/tandem-tokens/admin-tokens/ci' } },
      { name: 'desk', role: 'read', hash: { file: '/etc/tandem-tokens/admin-tokens/desk' } },
    ])
    const mounts = (part: string) =>
      podOf(find(all, 'Deployment', `voice-tandem-${part}`)).containers[0].volumeMounts.map(
        ({ mountPath }) => mountPath,
      )
    expect(mounts('console').filter((path) => path.startsWith('/etc/tandem-tokens'))).toEqual([
      '/etc/tandem-tokens/admin-tokens',
    ])
    expect(mounts('edge').filter((path) => path.startsWith('/etc/tandem-tokens'))).toEqual([])
  })

  it('certificates of yours: by service for gRPC, of its own for the admin API', () => {
    const rpcTls = { mode: 'existingSecret', existingSecret: 'all', existingSecrets: { policy: 'of-policy' } }
    const console = {
      enabled: true,
      tls: { existingSecret: 'api' },
      tokens: [{ name: 'ci', role: 'read', secret: 't', key: 'ci' }],
    }
    const all = render({ ...LOAD_BALANCER, rpcTls, console })
    const secretOf = (part: string, name: string) =>
      podOf(find(all, 'Deployment', `voice-tandem-${part}`)).volumes?.find((volume) => volume.name === name)?.secret
    expect(secretOf('policy', 'rpc')).toMatchObject({ secretName: 'of-policy' })
    expect(secretOf('edge', 'rpc')).toMatchObject({ secretName: 'all' })
    expect(secretOf('console', 'tls')).toMatchObject({ secretName: 'api' })
    expect(clusterFile(all)).toMatchObject({
      console: { tls: { certFile: '/etc/tandem-console/tls.crt', keyFile: '/etc/tandem-console/tls.key' } },
      rpc: { tls: { certFile: '/etc/tandem-rpc/tls.crt', caFile: '/etc/tandem-rpc/ca.crt' } },
    })
    expect(all.filter(({ kind }) => kind === 'Job' || kind === 'CronJob')).toEqual([])
  })

  it('an external Redis under TLS: the authority and a certificate from a Secret, at location and policy alone', () => {
    const external = { url: 'rediss://r.test:6380', tlsSecret: 'redis-tls', clientCertificate: true }
    const all = render({ ...LOAD_BALANCER, redis: { bundled: false, external } })
    expect(clusterFile(all).store.tls).toMatchObject({
      caFile: '/etc/tandem-redis/ca.crt',
      certFile: '/etc/tandem-redis/tls.crt',
      keyFile: '/etc/tandem-redis/tls.key',
    })
    const mounts = workloads(all).filter((one) =>
      podOf(one).containers[0].volumeMounts.some(({ name }) => name === 'redis'),
    )
    expect(mounts.map(({ metadata }) => metadata.name)).toEqual(['voice-tandem-location', 'voice-tandem-policy'])
  })

  it('says when documents are more than a ConfigMap holds', () => {
    const document = {
      apiVersion: 'tandem/v1',
      kind: 'Domain',
      metadata: { name: 'd.test' },
      spec: { description: 'x'.repeat(1_000) },
    }
    const documents = Array.from({ length: 900 }, () => document)
    expect(failureOf({ ...LOAD_BALANCER, resources: { documents } })).toMatch(
      /a ConfigMap holds 1 MiB.*set resources.applyJob/,
    )
    expect(failureOf({ ...LOAD_BALANCER, resources: { documents: documents.slice(0, 500) } })).toBe('')
  })

  it('passes telemetry on, with what is secret in it from the environment', () => {
    const secret = { secretKeyRef: { name: 'otlp', key: 'headers' } }
    const extraEnv = [{ name: 'OTEL_EXPORTER_OTLP_HEADERS', valueFrom: secret }]
    const telemetry = { traces: { exporter: 'otlp', endpoint: 'http://otel:4318' } }
    const all = render({
      ...LOAD_BALANCER,
      config: { telemetry, edge: { hep: { address: 'homer:9060' } } },
      edge: { extraEnv },
    })
    expect(clusterFile(all)).toMatchObject({ telemetry, edge: { hep: { address: 'homer:9060' } } })
    expect(podOf(find(all, 'Deployment', 'voice-tandem-edge')).containers[0].env).toContainEqual(extraEnv[0])
    expect(podOf(find(all, 'Deployment', 'voice-tandem-policy')).containers[0].env).toContainEqual({
      name: 'OTEL_RESOURCE_ATTRIBUTES',
      value: 'k8s.namespace.name=default,k8s.pod.name=$(POD_NAME)',
    })
  })

  it('a sink of PostgreSQL and the ledger’s copy: the password from a Secret, in the records pod', () => {
    const sinks = [{ name: 'archive', type: 'postgres', url: 'postgres://tandem@db:5432/tandem' }]
    const all = render({
      ...LOAD_BALANCER,
      config: { records: { sinks, ledger: { sink: 'archive' } } },
      records: { postgresSecret: 'db' },
    })
    expect(clusterFile(all).records).toMatchObject({ ledger: { sink: 'archive' } })
    expect(podOf(find(all, 'StatefulSet', 'voice-tandem-records')).containers[0].env).toContainEqual({
      name: 'PGPASSWORD',
      valueFrom: { secretKeyRef: { name: 'db', key: 'password' } },
    })
  })
})
