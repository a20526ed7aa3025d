// SPDX-License-Identifier: MIT
//
// The chart: its schema and defaults against the configuration (always), and with `helm` on the PATH what it renders: the
// cluster file loads, every TANDEM_* name is a setting, ports and names agree, each missing decision fails with a
// sentence, and what is rendered is what test/deploy/golden holds (`UPDATE_GOLDEN=1` writes it anew). The chart's copies of dashboards and
// alerts are those of deploy/. Leaves out a Kubernetes API server: manifests are parsed, not validated by one.
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadResources } from '@tandem/resources'
import { edgeConfig } from '@tandem/service-kit'
import { leaves } from '@tandem/service-kit/internal'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import {
  BUNDLED,
  CHART,
  clusterFile,
  EXTERNAL_REDIS,
  failureOf,
  find,
  folder,
  HOST_NETWORK,
  hasHelm,
  helm,
  KEY_RING,
  LOAD_BALANCER,
  podOf,
  REDIS_CLUSTER,
  ROOT,
  render,
  SETS,
  SPLIT,
  type Values,
  workloads,
} from './chart.ts'

if (!hasHelm) console.warn('test/deploy/helm.test.ts: rendering is skipped, because there is no `helm` on the PATH')

describe('values.schema.json', () => {
  it('has for each setting in values.yaml the default of the configuration', () => {
    const { config } = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as { config: Values }
    const expected = new Map(leaves().map((leaf) => [leaf.path.join('.'), leaf.default]))
    const given = Object.entries(config).flatMap(([section, settings]) =>
      Object.entries(settings as Values).map(([key, value]) => [`${section}.${key}`, value] as const),
    )
    expect(given.length).toBeGreaterThan(3)
    for (const [path, value] of given) expect([path, value]).toEqual([path, expected.get(path)])
  })
})

it('docs/reference/helm-values.md explains every value', () => {
  const page = readFileSync(join(ROOT, 'docs/reference/helm-values.md'), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  expect(rows.length).toBeGreaterThan(120)
  expect(rows.filter((row) => /\|\s*\|$/.test(row))).toEqual([])
})

describe('files of the chart', () => {
  it('dashboards and alerts are those of deploy/: run npm run generate', () => {
    const names = (folder: string) => globSync('*.json', { cwd: join(ROOT, folder) }).sort()
    expect(names('helm/tandem/files/dashboards')).toEqual(names('deploy/grafana/dashboards'))
    const text = (file: string) => readFileSync(join(ROOT, file), 'utf8')
    expect(text('helm/tandem/files/alerts.yaml')).toBe(text('deploy/prometheus/alerts.yaml'))
    for (const name of names('deploy/grafana/dashboards'))
      expect(text(`helm/tandem/files/dashboards/${name}`)).toBe(text(`deploy/grafana/dashboards/${name}`))
  })
})

describe.skipIf(!hasHelm)('the rendered chart (needs `helm` on the PATH)', () => {
  it.each(SETS)('lints: %s', (_, values) => {
    const { status, stdout } = helm(['lint', '--strict'], { ...values, fullnameOverride: 'voice' })
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('0 chart(s) failed') })
    expect(stdout).not.toContain('Fail:')
  })

  it.each(SETS)('every TANDEM_ name is a setting and every pod has the key ring: %s', (_, values) => {
    const known = new Set(leaves().map((leaf) => leaf.env))
    const own = workloads(render(values)).filter((manifest) => !manifest.metadata.name.endsWith('-redis'))
    const parts = ['edge', 'location', 'policy', 'records', ...(values.console === undefined ? [] : ['console'])]
    expect(own.map((manifest) => manifest.metadata.name.replace('voice-tandem-', '')).sort()).toEqual(parts.sort())
    for (const manifest of own) {
      const names = podOf(manifest).containers[0].env?.map((variable) => variable.name) ?? []
      expect(names.filter((name) => name.startsWith('TANDEM_') && !known.has(name))).toEqual([])
      expect(names).toContain('TANDEM_CLUSTER_SECRETS_FILE')
      expect(podOf(manifest).containers[0].volumeMounts.map(({ name }) => name)).toContain('keys')
    }
  })

  it.each(SETS)('the cluster file loads, and its ports and names are those of pods and Services: %s', (_, values) => {
    const all = render(values)
    const config = clusterFile(all)
    const { sipPort, tlsPort, wsPort, wssPort, internalPort, httpPort } = edgeConfig(config, 0)
    const portsOf = (part: string) =>
      podOf(workloads(all).find((one) => one.metadata.name === `voice-tandem-${part}`)).containers[0].ports.map(
        (port) => port.containerPort,
      )
    const sctp = config.edge.listeners.sctp ? [sipPort] : []
    expect(portsOf('edge')).toEqual([sipPort, sipPort, ...sctp, tlsPort, wsPort, wssPort, internalPort, httpPort])
    expect(portsOf('records')).toEqual([config.records.httpPort])
    for (const part of ['location', 'policy'] as const) {
      const { grpcPort, address } = config[part]
      expect(portsOf(part)).toEqual([grpcPort, config[part].httpPort])
      expect(address).toBe(`voice-tandem-${part}:${grpcPort}`)
      const service = find(all, 'Service', `voice-tandem-${part}`)
      expect(service?.spec).toMatchObject({
        clusterIP: 'None',
        ports: [
          { port: grpcPort, targetPort: 'grpc' },
          { port: config[part].httpPort, targetPort: 'http' },
        ],
      })
    }
  })

  it.each(SETS)('probes ask /readyz and /healthz, and edges have no CPU limit: %s', (_, values) => {
    const all = workloads(render(values)).filter((manifest) => !manifest.metadata.name.endsWith('-redis'))
    for (const manifest of all) {
      const [container] = podOf(manifest).containers
      expect(container.readinessProbe.httpGet?.path).toBe('/readyz')
      expect(container.livenessProbe.httpGet?.path).toBe('/healthz')
      expect(container.ports.map((port) => port.name)).toContain('http')
      if (container.name === 'edge') expect(Object.keys(container.resources.limits ?? {})).toEqual(['memory'])
    }
  })

  it.each(SETS)('an edge has more time to end than its pause and drain take: %s', (_, values) => {
    const all = render(values)
    const grace = podOf(find(all, 'Deployment', 'voice-tandem-edge')).terminationGracePeriodSeconds ?? 0
    expect(grace).toBeGreaterThanOrEqual(5 + clusterFile(all).shutdown.drainMs / 1_000 + 15)
  })

  it('split: one Service for UDP and one for the others; the API is asked for their status alone, by what takes no SIP', () => {
    const all = render(SPLIT)
    const protocols = (name: string) => find(all, 'Service', name)?.spec.ports?.map((port) => port.protocol)
    expect(protocols('voice-tandem-edge-udp')).toEqual(['UDP'])
    expect(protocols('voice-tandem-edge-tcp')).toEqual(['TCP', 'TCP', 'TCP', 'TCP', 'SCTP'])
    const role = find(all, 'Role', 'voice-tandem-edge') as unknown as { rules: unknown }
    const names = ['voice-tandem-edge-udp', 'voice-tandem-edge-tcp']
    expect(role.rules).toEqual([
      { apiGroups: [''], resources: ['services/status'], resourceNames: names, verbs: ['get'] },
    ])
    const edge = podOf(find(all, 'Deployment', 'voice-tandem-edge'))
    expect(edge.automountServiceAccountToken).toBe(false)
    expect(edge.initContainers?.[0]?.env).toContainEqual({ name: 'SERVICES', value: names.join(',') })
    expect(edge.containers[0].volumeMounts.map(({ name }) => name)).not.toContain('token')
    expect(find(all, 'Deployment', 'voice-tandem-edge')?.spec.replicas).toBeUndefined()
  })

  it('Redis takes location and policy alone', () => {
    const policy = find(render(LOAD_BALANCER), 'NetworkPolicy', 'voice-tandem-redis') as unknown as {
      spec: { ingress: { from: { podSelector: { matchLabels: Record<string, string> } }[] }[] }
    }
    const parts = policy.spec.ingress.flatMap(({ from }) =>
      from.map((peer) => peer.podSelector.matchLabels['app.kubernetes.io/component']),
    )
    expect(policy.spec.ingress).toHaveLength(1)
    expect(parts).toEqual(['location', 'policy'])
  })

  it.each([
    ['loadBalancer', BUNDLED],
    ['split', SPLIT],
    ['host-network', HOST_NETWORK],
    ['redis-cluster', REDIS_CLUSTER],
    ['redis-tls', EXTERNAL_REDIS],
  ])('is what test/deploy/golden/%s.yaml holds', (name, values) => {
    const { status, stdout, stderr } = helm(['template', 'voice'], values)
    expect({ status, stderr }).toMatchObject({ status: 0 })
    const file = join(ROOT, 'test/deploy/golden', `${name}.yaml`)
    if (process.env.UPDATE_GOLDEN) writeFileSync(file, stdout)
    expect(stdout).toBe(readFileSync(file, 'utf8'))
  })

  it('passes settings and resources through', async () => {
    const config = clusterFile(render(LOAD_BALANCER))
    expect(config.policy.challengeOrder).toEqual(['MD5'])
    expect(config.edge.advertisedAddress).toBe('203.0.113.10')
    const loaded = await loadResources(config.resources.files, { baseDir: folder, env: {} })
    expect(loaded.ok && loaded.set.resources.map((one) => one.metadata.name)).toEqual(['example.test', 'second.test'])
  })

  it('loadBalancer: one Service with UDP and TCP, and the key ring in a Secret of the chart', () => {
    const all = render(LOAD_BALANCER)
    const service = find(all, 'Service', 'voice-tandem-edge')
    expect(service?.spec).toMatchObject({ type: 'LoadBalancer', externalTrafficPolicy: 'Local' })
    expect(service?.spec.ports?.map((port) => port.protocol)).toEqual(['UDP', 'TCP', 'TCP', 'TCP', 'TCP'])
    expect(JSON.parse(find(all, 'Secret', 'voice-tandem-secrets')?.stringData?.keyRing ?? '')).toEqual(KEY_RING)
    expect(find(all, 'StatefulSet', 'voice-tandem-redis')?.spec.replicas).toBe(1)
  })

  it('hidden sources, where somebody has said that this is known', () => {
    const service = { externalTrafficPolicy: 'Cluster', acceptHiddenSources: true }
    const all = render({ ...LOAD_BALANCER, edge: { service } })
    expect(find(all, 'Service', 'voice-tandem-edge')?.spec).toMatchObject({ externalTrafficPolicy: 'Cluster' })
  })

  it('hostNetwork: no Service for edges, and nothing secret is rendered when Secrets are given', () => {
    const all = render(HOST_NETWORK)
    const edge = podOf(find(all, 'Deployment', 'voice-tandem-edge'))
    expect(edge.hostNetwork).toBe(true)
    expect(find(all, 'Service', 'voice-tandem-edge')).toBeUndefined()
    expect(all.filter((manifest) => manifest.kind === 'Secret')).toEqual([])
    expect(edge.volumes?.find(({ name }) => name === 'keys')?.secret).toMatchObject({ secretName: 'my-keys' })
    expect(edge.containers[0].env).toContainEqual({
      name: 'TANDEM_CLUSTER_SECRETS_FILE',
      value: '/etc/tandem-keys/ring',
    })
  })

  it('hostNetwork: resources of a Secret are mounted where the cluster file names them, in policy only', () => {
    const all = render(HOST_NETWORK)
    const policy = podOf(find(all, 'Deployment', 'voice-tandem-policy'))
    expect(clusterFile(all).resources.files).toContain('/etc/tandem-resources/subscribers')
    expect(policy.volumes?.find((volume) => volume.name === 'resources')?.secret?.secretName).toBe('subscribers')
    expect(policy.containers[0].volumeMounts.map((mount) => mount.mountPath)).toContain(
      '/etc/tandem-resources/subscribers',
    )
    const edge = podOf(find(all, 'Deployment', 'voice-tandem-edge'))
    expect(edge.volumes?.map(({ name }) => name)).toEqual(['config', 'keys', 'rpc'])
  })

  it('an external Redis replaces the bundled one', () => {
    const all = render(EXTERNAL_REDIS)
    expect(all.filter((manifest) => manifest.metadata.name.endsWith('-redis'))).toEqual([])
    const env = podOf(find(all, 'Deployment', 'voice-tandem-location')).containers[0].env
    expect(env).toContainEqual({ name: 'TANDEM_STORE_URL', value: 'rediss://r.test:6380' })
  })

  const withConfig = (config: Values): Values => ({ ...LOAD_BALANCER, config })
  it.each<[string, Values, RegExp]>([
    [
      'no key ring',
      { config: { edge: { advertisedAddress: 'x' } } },
      /No key ring is given: set secrets.existingSecret/,
    ],
    ['two key rings', { ...LOAD_BALANCER, secrets: { existingSecret: 'a', keyRing: KEY_RING } }, /not both/],
    [
      'a short key',
      { ...LOAD_BALANCER, secrets: { keyRing: [{ id: 1, secret: 'short' }] } },
      /secrets.keyRing.0.secret/,
    ],
    [
      'the address of a Service that is not there',
      { ...LOAD_BALANCER, config: {}, edge: { exposure: 'hostNetwork', addressFrom: 'service' } },
      /there is no Service whose address edges could take/,
    ],
    ['no issuer', { ...LOAD_BALANCER, rpcTls: { mode: 'certManager' } }, /set rpcTls.issuerRef/],
    [
      'no Secret of certificates',
      { ...LOAD_BALANCER, rpcTls: { mode: 'existingSecret' } },
      /set rpcTls.existingSecret/,
    ],
    ['no tokens', { ...LOAD_BALANCER, console: { enabled: true } }, /set console.tokens to who may call/],
    ['no admin API', { ...LOAD_BALANCER, resources: { applyJob: { enabled: true } } }, /set console.enabled/],
    [
      'nothing to scale by',
      { ...LOAD_BALANCER, edge: { autoscaling: { enabled: true, cpu: 0 } } },
      /set cpu, requestsPerSecond or eventLoopPercent/,
    ],
    [
      'more than the most',
      { ...LOAD_BALANCER, edge: { autoscaling: { enabled: true, minReplicas: 11 } } },
      /minReplicas is above maxReplicas/,
    ],
    [
      'no quantity',
      { ...LOAD_BALANCER, edge: { resources: { limits: { memory: '1x' } } } },
      /expected a quantity such as 512Mi/,
    ],
    [
      'an address of nodes',
      { ...LOAD_BALANCER, edge: { exposure: 'hostNetwork' } },
      /leave config.edge.advertisedAddress empty/,
    ],
    [
      'hidden sources',
      { ...LOAD_BALANCER, edge: { service: { externalTrafficPolicy: 'Cluster' } } },
      /externalTrafficPolicy: Cluster hides where packets come from.*Leave it at Local; or set edge.service.acceptHiddenSources/,
    ],
    ['no Redis', { ...LOAD_BALANCER, redis: { bundled: false } }, /set redis.external.url/],
    ['two Redis', { ...LOAD_BALANCER, redis: { external: { url: 'redis://r' } } }, /set redis.bundled to false/],
    ['an unknown setting', withConfig({ policy: { speed: 1 } }), /config.policy.*speed/],
    ['a setting that the chart decides', withConfig({ edge: { bindAddress: '::' } }), /config.edge.*bindAddress/],
    ['a value out of range', withConfig({ shutdown: { drainMs: -1 } }), /config.shutdown.drainMs/],
    ['a long name', { ...LOAD_BALANCER, fullnameOverride: 'a-name-that-is-too-long' }, /fullnameOverride/],
  ])('fails with a sentence: %s', (_, values, sentence) => {
    expect(failureOf(values)).toMatch(sentence)
  })

  it('fails with a sentence when the release name makes edge ids too long', () => {
    expect(failureOf(LOAD_BALANCER, 'production-europe')).toMatch(/longer than 18 characters/)
  })
})
