// SPDX-License-Identifier: MIT
//
// docker-compose.yml, Dockerfile and prometheus.yml against the configuration that the services read, without an engine:
// every TANDEM_* name is a setting, every container's settings load, and ports and addresses agree with what is listened on.
// Leaves out whether the images build and start.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Config, edgeConfig, loadConfig } from '@tandem/service-kit'
import { leaves } from '@tandem/service-kit/internal'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const read = (name: string): string => readFileSync(ROOT + name, 'utf8')

interface ComposeService {
  readonly image: string
  readonly build?: { readonly target: string; readonly args?: Readonly<Record<string, string>> }
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly networks: readonly string[] | { readonly cluster: { readonly ipv4_address: string } }
}

/** Compose's `${NAME:-default}` and `${NAME:?message}`. Throws the message. */
function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest = '') => {
    if (env[name]) return env[name]
    if (kind === '?') throw new Error(`${name} ${rest}`)
    return rest
  })
}

function dotenv(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => /^\w+=/.test(line))
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

const EXAMPLE = dotenv(read('deploy/compose/example.env'))
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly volumes: Readonly<Record<string, unknown>>
}
const own = Object.entries(compose.services).filter(([, service]) => service.build)
const dockerfile = read('Dockerfile')

/** `NAME=value` pairs of the ENV instructions of a target and of the one that it starts from. */
function imageEnv(target: string): Record<string, string> {
  const stages = dockerfile.split(/^FROM /m).slice(1)
  const stageOf = (name: string) => stages.find((stage) => stage.split('\n')[0]?.endsWith(` AS ${name}`)) ?? ''
  const pairs = [stageOf('runtime'), stageOf(target)].flatMap((stage) => [...stage.matchAll(/\b(TANDEM_\w+)=(\S+)/g)])
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value]))
}

function containerConfig(service: ComposeService): Config {
  const given = Object.entries(service.environment ?? {}).map(([name, value]) => [name, interpolate(value, EXAMPLE)])
  const env = { ...imageEnv(service.build?.target ?? ''), ...(Object.fromEntries(given) as Record<string, string>) }
  return loadConfig({ file: `${ROOT}examples/quickstart.yaml`, env })
}

/** Container ports, e.g. `5060/udp`. */
const published = (service: ComposeService): string[] =>
  (service.ports ?? []).map((port) => port.split(':').at(-1) as string).map((p) => (p.includes('/') ? p : `${p}/tcp`))

function exposed(target: string): string[] {
  const stage = dockerfile.split(` AS ${target}\n`)[1]?.split(/^FROM /m)[0] ?? ''
  return /^EXPOSE (.*)$/m.exec(stage)?.[1]?.split(' ') ?? []
}

describe('docker-compose.yml', () => {
  it('has the parts of a cluster with three edges', () => {
    const services = ['edge-0', 'edge-1', 'edge-2', 'location', 'policy', 'records', 'console']
    const others = ['grafana', 'postgres', 'prometheus', 'redis']
    expect(Object.keys(compose.services).sort()).toEqual([...services, ...others].sort())
  })

  it.each([
    ['policy', 'TANDEM_CLUSTER_SECRETS'],
    ['console', 'TANDEM_CONSOLE_TOKENS'],
  ])('%s: refuses to start without %s, and says what to do', (service, name) => {
    const text = compose.services[service]?.environment?.[name] ?? ''
    expect(() => interpolate(text, {})).toThrow(new RegExp(`${name} is not set.*--env-file`))
  })

  it.each(own)(
    '%s: is built on both bases, which can be given, and by default are those of the Dockerfile',
    (_, service) => {
      const args = service.build?.args ?? {}
      const given = Object.fromEntries(Object.entries(args).map(([name, value]) => [name, interpolate(value, {})]))
      const declared = [...dockerfile.matchAll(/^ARG (BASE|RUNTIME_BASE)=(\S+)$/gm)].map(([, name, value]) => [
        name,
        value,
      ])
      expect(given).toEqual(Object.fromEntries(declared))
      expect(Object.entries(args).map(([name, value]) => interpolate(value, { [name]: 'mine' }))).toEqual([
        'mine',
        'mine',
      ])
    },
  )

  it.each(own)('%s: may write nothing but its volume, and has no capability', (_, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
  })

  it.each(Object.entries(compose.services))('%s: what it mounts of this repository is there', (_, service) => {
    const mounts = (service.volumes ?? []).map((volume) => interpolate(volume, {}).split(':')[0] as string)
    const files = mounts.filter((source) => source.startsWith('.'))
    expect(files.filter((file) => !existsSync(ROOT + file))).toEqual([])
    const named = mounts.filter((source) => !source.startsWith('.'))
    expect(named.filter((name) => !(name in compose.volumes))).toEqual([])
  })

  it.each(own)('%s: every TANDEM_ name is a setting, and the settings load', (_, service) => {
    const known = new Set(leaves().map((leaf) => leaf.env))
    const names = [...Object.keys(service.environment ?? {}), ...Object.keys(imageEnv(service.build?.target ?? ''))]
    expect(names.filter((name) => name.startsWith('TANDEM_') && !known.has(name))).toEqual([])
    expect(containerConfig(service).cluster.secrets).toEqual(JSON.parse(EXAMPLE.TANDEM_CLUSTER_SECRETS as string))
  })

  it.each(own)('%s: is built from a target of the Dockerfile, and mounts a file that is there', (_, service) => {
    expect(dockerfile).toMatch(new RegExp(` AS ${service.build?.target}\n`))
    const file = interpolate(service.volumes?.[0] ?? '', {}).split(':')[0] as string
    expect(existsSync(ROOT + file)).toBe(true)
    expect(dockerfile).toContain('"--config", "/etc/tandem/tandem.yaml"]')
    expect(service.volumes?.[0]).toContain(':/etc/tandem/tandem.yaml:ro')
  })

  it.each([
    ['edge-0', 0],
    ['edge-1', 1],
    ['edge-2', 2],
  ])('%s: binds its own address, and its ports are the same inside and outside', (name, index) => {
    const service = compose.services[name] as ComposeService
    const edge = edgeConfig(containerConfig(service))
    expect(edge.index).toBe(index)
    expect(service.networks).toEqual({ cluster: { ipv4_address: edge.bindAddress } })
    const { sipPort, tlsPort, wsPort, wssPort, httpPort } = edge
    const streams = [sipPort, tlsPort, wsPort, wssPort].map((port) => `${port}:${port}/tcp`)
    expect(service.ports).toEqual([`${sipPort}:${sipPort}/udp`, ...streams, `127.0.0.1:${httpPort}:${httpPort}`])
  })

  it('lets edges and records find location, policy and Redis by service name and port', () => {
    const config = containerConfig(compose.services['edge-0'] as ComposeService)
    expect(config.location.address).toBe(`location:${config.location.grpcPort}`)
    expect(config.policy.address).toBe(`policy:${config.policy.grpcPort}`)
    expect(config.store.url).toBe('redis://redis:6379')
  })

  it.each(['location', 'policy', 'records'] as const)('%s: its HTTP port is published to this machine only', (name) => {
    const service = compose.services[name] as ComposeService
    const { httpPort, bindAddress } = containerConfig(service)[name]
    expect(bindAddress).toBe('0.0.0.0')
    expect(service.ports).toEqual([`127.0.0.1:${httpPort}:${httpPort}`])
  })

  it('console: TLS and tokens beyond loopback, its ports published to this machine only, its files on a volume', () => {
    const service = compose.services.console as ComposeService
    const { bindAddress, port, grpcPort, httpPort, tokens } = containerConfig(service).console
    expect(bindAddress).toBe('0.0.0.0')
    expect(service.ports).toEqual([port, grpcPort, httpPort].map((port) => `127.0.0.1:${port}:${port}`))
    expect(service.volumes).toContain('console:/var/lib/tandem')
    const token = /Of the public token (\S+?)\.$/m.exec(read('deploy/compose/example.env'))?.[1] as string
    expect(tokens).toMatchObject([{ role: 'admin', hash: createHash('sha256').update(token).digest('hex') }])
  })

  it('keeps call records in PostgreSQL too, and the copy of the ledgers', () => {
    const { sinks, ledger } = containerConfig(compose.services.records as ComposeService).records
    expect(sinks.map(({ type, name }) => `${type} ${name}`)).toEqual(['ndjson ndjson', 'postgres postgres'])
    expect(ledger.sink).toBe('postgres')
  })

  it('keeps call records on a volume', () => {
    const service = compose.services.records as ComposeService
    expect(containerConfig(service).records.file).toMatch(/^\/var\/lib\/tandem\//)
    expect(service.volumes).toContain('records:/var/lib/tandem')
  })
})

describe('prometheus.yml', () => {
  it('scrapes every process of the compose file', () => {
    const { scrape_configs: jobs } = parse(read('deploy/prometheus/prometheus.yml')) as {
      scrape_configs: { static_configs: { targets: string[] }[] }[]
    }
    const targets = jobs.flatMap((job) => job.static_configs.flatMap((entry) => entry.targets))
    const expected = own.map(([name, service]) => {
      const config = containerConfig(service)
      const part = service.build?.target as 'edge' | 'location' | 'policy' | 'records' | 'console'
      return `${name}:${part === 'edge' ? edgeConfig(config).httpPort : config[part].httpPort}`
    })
    expect(targets.sort()).toEqual(expected.sort())
  })
})

describe('Dockerfile', () => {
  const defaults = loadConfig({ env: { TANDEM_CLUSTER_SECRETS: EXAMPLE.TANDEM_CLUSTER_SECRETS } })

  it('has a target per service and one for the whole', () => {
    const targets = [...dockerfile.matchAll(/^FROM runtime AS (\w+)$/gm)].map(([, name]) => name)
    expect(targets).toEqual(['edge', 'location', 'policy', 'records', 'console', 'tandem'])
  })

  it('exposes the ports that are listened on by default', () => {
    const { location, policy, records, console: admin } = defaults
    const { sipPort, tlsPort, wsPort, wssPort, internalPort, httpPort } = edgeConfig(defaults)
    const streams = [sipPort, tlsPort, wsPort, wssPort, internalPort, httpPort].map((port) => `${port}/tcp`)
    expect(exposed('edge')).toEqual([`${sipPort}/udp`, ...streams])
    expect(exposed('location')).toEqual([`${location.grpcPort}/tcp`, `${location.httpPort}/tcp`])
    expect(exposed('policy')).toEqual([`${policy.grpcPort}/tcp`, `${policy.httpPort}/tcp`])
    expect(exposed('records')).toEqual([`${records.httpPort}/tcp`])
    expect(exposed('console')).toEqual([admin.port, admin.grpcPort, admin.httpPort].map((port) => `${port}/tcp`))
    for (const [, service] of own) {
      const first = (service.environment?.TANDEM_EDGE_INDEX ?? '0') === '0'
      if (first) expect(exposed(service.build?.target ?? '')).toEqual(expect.arrayContaining(published(service)))
    }
  })

  it('runs as a user without rights, node itself as process 1, with a health check in every target', () => {
    expect(dockerfile).toMatch(/^USER 10001:10001$/m)
    expect(dockerfile).toMatch(/^ENTRYPOINT \["\/usr\/local\/bin\/node", /m)
    expect(
      dockerfile.match(/^HEALTHCHECK .* CMD \["\/usr\/local\/bin\/node", "\/app\/healthcheck.mjs", "\w+"\]$/gm),
    ).toHaveLength(6)
  })

  it('runs nothing in the base that runs: it need not have a shell', () => {
    const stages = dockerfile.split(/^FROM /m).filter((stage) => /^(\$\{RUNTIME_BASE\}|runtime) AS /.test(stage))
    expect(stages).toHaveLength(7)
    expect(stages.filter((stage) => /^RUN /m.test(stage))).toEqual([])
  })

  it('names its bill of materials in a label, and no processor anywhere', () => {
    expect(dockerfile).toContain('org.cyclonedx.sbom=/app/sbom.json')
    expect(dockerfile).toContain('npm sbom')
    const instructions = dockerfile
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .join('\n')
    expect(instructions).not.toMatch(/amd64|x86|x64|arm64|aarch64|--platform/)
  })

  it('copies only what the .dockerignore lets in, and what exists', () => {
    const allowed = read('.dockerignore').match(/(?<=^!).+/gm) ?? []
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, from = '']) => from.split(' '))
    expect([...new Set(copied)].sort()).toEqual([...allowed].sort())
    expect(copied.filter((name) => !existsSync(ROOT + name))).toEqual([])
  })
})

describe('healthcheck.mjs', () => {
  const check = (service: string, env: Record<string, string>) =>
    spawnSync(process.execPath, [`${ROOT}deploy/healthcheck.mjs`, service], { env, encoding: 'utf8' })

  it.each<[string, Record<string, string>, number]>([
    ['edge', {}, 9464],
    ['edge', { TANDEM_EDGE_INDEX: '1' }, 9465],
    ['records', {}, 9566],
  ])('%s with %o asks the port that the service listens on by default', (service, env, port) => {
    const config = loadConfig({ env: { ...env, TANDEM_CLUSTER_SECRETS: EXAMPLE.TANDEM_CLUSTER_SECRETS } })
    expect(service === 'edge' ? edgeConfig(config).httpPort : config.records.httpPort).toBe(port)
    const moved = { TANDEM_EDGE_HTTP_PORT: '1', TANDEM_RECORDS_HTTP_PORT: '1' }
    const { status, stderr } = check(service, { ...env, ...moved })
    expect(status).toBe(1)
    expect(stderr).toContain(`127.0.0.1:${env.TANDEM_EDGE_INDEX ? 2 : 1}/readyz`)
  })

  it('refuses a service that it does not know', () => {
    expect(check('kitchen', {})).toMatchObject({ status: 1, stderr: expect.stringContaining('expected one of') })
  })

  it.each([
    [200, 0],
    [503, 1],
  ])('ends with the right status when /readyz answers %i', async (answer, status) => {
    const server = createServer((request, response) =>
      response.writeHead(request.url === '/readyz' ? answer : 404).end(),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const env = { TANDEM_POLICY_HTTP_PORT: String((server.address() as AddressInfo).port) }
    const child = spawn(process.execPath, [`${ROOT}deploy/healthcheck.mjs`, 'policy'], { env, stdio: 'ignore' })
    const code = await new Promise((resolve) => child.on('exit', resolve))
    server.close()
    expect(code).toBe(status)
  })
})
