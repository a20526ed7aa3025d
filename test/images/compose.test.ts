// SPDX-License-Identifier: MIT
//
// docker-compose.yml as it is: every container gets healthy, phones register and call through edges 0 and 2 (SIPp), records are in PostgreSQL, a call
// outlives the edge that took it, Prometheus scrapes all, verbs reach the admin API, and everything is registered still after a restart.
// Leaves out Grafana where its image is not at hand. Needs the images (images.test.ts), free ports of the compose file and 172.30.60.0/24.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type RunningSipp, runSipp, sippAvailable, startSipp, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectPlayed, newCallId } from '../e2e/support/sipp.ts'
import {
  buildImages,
  compose,
  containerOf,
  docker,
  inspect,
  missingDocker,
  ROOT,
  startableServices,
  tryDocker,
} from './docker.ts'

const EDGES = ['172.30.60.10:5060', '172.30.60.11:5160', '172.30.60.12:5260'] as const
/** This machine's, in the network of the cluster. */
const HOST = '172.30.60.1'
const START_MS = 240_000
const CONFIG = ['--config', '/etc/tandem/tandem.yaml']
const TOKEN = /public token (tandem_\S+?)\.$/m.exec(readFileSync(join(ROOT, 'deploy/compose/example.env'), 'utf8'))?.[1]
const sipp = sippAvailable()
const missing = missingDocker() ?? (sipp.available ? undefined : sipp.reason)
const title =
  missing === undefined ? 'docker compose up' : `docker compose up (skipped: ${missing.replaceAll(/[()]/g, '')})`

interface Play {
  readonly scenario: string
  readonly edge?: number
  readonly user: string
  readonly callId?: string
  readonly pauseMs?: number
  readonly keys?: Readonly<Record<string, string>>
  /** Edge that messages within the dialog go to. */
  readonly later?: number
}

function optionsOf({ scenario, edge, user, callId = newCallId(scenario), pauseMs = 300, keys = {}, later = 0 }: Play) {
  const [host = '', port = ''] = (EDGES[later] ?? '').split(':')
  const xml = readFileSync(join(ROOT, `test/e2e/sipp/${scenario}.xml`), 'latin1')
    .replace('assign_to="host" value="[local_ip]"', `assign_to="host" value="${host}"`)
    .replace('[other_port]', port)
  const given = Object.entries(keys).flatMap(([name, value]) => ['-key', name, value])
  const args = ['-cid_str', callId.replace(/-1$/, '-%u'), '-au', user, '-ap', `${user}-secret`]
  return {
    scenario: { xml },
    transport: 'u1' as const,
    timeoutMs: 40_000,
    args: [...args, '-key', 'user', user, '-d', String(pauseMs), ...given],
    localAddress: HOST,
    ...(edge !== undefined && { target: EDGES[edge] as string }),
  }
}

async function answerer(user: string, edge: number, scenario = 'answer'): Promise<RunningSipp> {
  const callee = await startSipp(optionsOf({ scenario, user, keys: { callee: user } }))
  const contact = `<sip:${user}@${HOST}:${callee.port};transport=udp>`
  expectPlayed(await runSipp(optionsOf({ scenario: 'register', edge, user, keys: { contact } })))
  return callee
}

const verb = (service: string, ...args: string[]): string =>
  compose(['exec', '-T', '-e', `TANDEM_TOKEN=${TOKEN}`, service, '/usr/local/bin/tandem', ...args, ...CONFIG])

function recordsOf(callId: string): string {
  const sql = `SELECT record FROM (SELECT to_jsonb(t)::text AS record FROM cdr t) r WHERE record LIKE '%${callId}%'`
  const psql = ['psql', '-h', '127.0.0.1', '-U', 'tandem', '-At', '-c', sql]
  return tryDocker(['exec', '-e', 'PGPASSWORD=example', containerOf('postgres'), ...psql]).out.trim()
}

const healthOf = (service: string): string =>
  inspect<{ Status: string } | null>(containerOf(service), '.State.Health')?.Status ?? 'none'

async function healthy(services: readonly string[]): Promise<void> {
  for (const service of services)
    await waitUntil(`health of ${service}`, () => ['healthy', 'none'].includes(healthOf(service)), 120_000, 1_000)
}

async function prometheus<T>(path: string): Promise<T> {
  const answer = (await (await fetch(`http://127.0.0.1:9090/api/v1/${path}`)).json()) as { data: T }
  return answer.data
}

describe.skipIf(missing !== undefined)(title, () => {
  let services: string[] = []

  beforeAll(async () => {
    buildImages()
    services = startableServices()
    if (!services.includes('grafana')) console.warn('grafana is left out: its image is not on this machine')
    compose(['up', '--detach', '--no-build', ...services], START_MS)
    await healthy(services)
  }, 4 * START_MS)
  afterAll(() => {
    compose(['down', '--volumes', '--timeout', '40'])
  })

  it('a charged call from a phone at edge 0 to one that registered at edge 2; its record is in PostgreSQL', async () => {
    const bob = await answerer('bob', 2)
    const callId = newCallId('compose')
    expectPlayed(
      await runSipp(
        optionsOf({ scenario: 'call-and-hang-up', edge: 0, user: 'alice', callId, keys: { callee: 'bob' } }),
      ),
    )
    expectPlayed(await bob.result)
    await waitUntil('the record in PostgreSQL', () => recordsOf(callId) !== '', 20_000, 500)
    expect(recordsOf(callId).split('\n')).toHaveLength(1)
    expect(recordsOf(callId)).toContain('alice')
    expect(recordsOf(callId)).toContain('EUR')
  })

  it('check-call of the image, from a container beside the edges', () => {
    const passwords = [
      '-e',
      'TANDEM_CHECK_CALLER_PASSWORD=carol-secret',
      '-e',
      'TANDEM_CHECK_CALLEE_PASSWORD=dave-secret',
    ]
    const users = ['--caller', 'carol@example.test', '--callee', 'dave@example.test']
    const run = ['run', '--rm', '--network', 'tandem-images_cluster', ...passwords, 'tandem-tandem', 'check-call']
    expect(docker([...run, '--server', EDGES[1], ...users])).toContain('all is well')
  })

  it('verbs ask location, policy and records inside, and the admin API with a token over TLS', () => {
    expect(verb('location', 'locate', 'bob@example.test')).toContain(HOST)
    expect(verb('records', 'cdr')).toContain('alice')
    const mount = ['--volume', 'tandem-images_console:/console:ro', '-e', 'TANDEM_CA=/console/data/console-cert.pem']
    const where = ['--network', 'tandem-images_cluster', '-e', 'TANDEM_API=https://console:8080']
    const args = [
      'run',
      '--rm',
      ...where,
      ...mount,
      '-e',
      `TANDEM_TOKEN=${TOKEN}`,
      'tandem-tandem',
      'get',
      'subscribers',
    ]
    expect(docker(args)).toContain('alice')
    const stranger = args.map((one) => (one.startsWith('TANDEM_TOKEN=') ? 'TANDEM_TOKEN=tandem_wrong' : one))
    expect(tryDocker(stranger).status).toBe(1)
  })

  it('Prometheus: every target up, every rule read, calls of every edge', async () => {
    const down = async (): Promise<string[]> => {
      const { activeTargets } = await prometheus<{ activeTargets: { health: string; labels: { instance: string } }[] }>(
        'targets',
      )
      expect(activeTargets).toHaveLength(7)
      return activeTargets.filter(({ health }) => health !== 'up').map(({ labels }) => labels.instance)
    }
    await waitUntil('all targets up', async () => (await down()).length === 0, 60_000, 1_000)
    const { groups } = await prometheus<{ groups: { rules: { health: string }[] }[] }>('rules')
    const rules = groups.flatMap((group) => group.rules)
    expect(rules.length).toBeGreaterThan(20)
    const sum = async (): Promise<number> => {
      const query = encodeURIComponent('sum(tandem_edge_calls_ended_total{result="answered"})')
      const { result } = await prometheus<{ result: { value: [number, string] }[] }>(`query?query=${query}`)
      return Number(result[0]?.value[1] ?? 0)
    }
    await waitUntil('the calls in Prometheus', async () => (await sum()) >= 2, 60_000, 1_000)
  })

  it('a call goes on, and ends, when the edge that took it is killed', async () => {
    const bob = await answerer('bob', 2, 'answer-by-via')
    const callId = newCallId('killed')
    const play = { scenario: 'call-and-bye-elsewhere', edge: 0, user: 'alice', callId, pauseMs: 9_000, later: 1 }
    const alice = await startSipp(optionsOf({ ...play, keys: { callee: 'bob' } }))
    await waitUntil('the call', () => verb('policy', 'calls', '-o', 'json').includes(callId), 8_000, 200)
    docker(['kill', containerOf('edge-0')])
    expectPlayed(await alice.result)
    expectPlayed(await bob.result)
    await waitUntil('the record in PostgreSQL', () => recordsOf(callId) !== '', 20_000, 500)
    compose(['start', 'edge-0'])
    await healthy(['edge-0'])
  })

  it('all stopped, each with 0, and started again: who was registered is called without registering again', async () => {
    const own = services.filter((name) => !['redis', 'postgres', 'prometheus', 'grafana'].includes(name))
    compose(['stop', '--timeout', '40'])
    const codes = own.map((name) => `${name} ${inspect<{ ExitCode: number }>(containerOf(name), '.State').ExitCode}`)
    expect(codes).toEqual(own.map((name) => `${name} 0`))
    compose(['start'])
    await healthy(services)
    expect(verb('location', 'locate', 'bob@example.test')).toContain(HOST)
  })
})
