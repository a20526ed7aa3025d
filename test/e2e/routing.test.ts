// SPDX-License-Identifier: MIT
// Numbers, trunks, groups and hours as a carrier and a phone see them: SIPp at the trunks' addresses and as the phones, every service a process
// of its own, over Redis. The next trunk after 503 and after silence, not after 486; bounds over two edges; a carrier's challenge; numbers in;
// hours; one extension after another; emergencies while policy is dead.
// Not tested here: every rule of the plan (packages/resources), a whole cluster with numbers in memory (test/routing), breakers and
// registration (trunks.test.ts).
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  type RunningRedis,
  type RunningSipp,
  redisAvailable,
  type SippResult,
  sippAvailable,
  startRedis,
  waitUntil,
} from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Cluster, freeBlock } from './support/cluster.ts'
import { beginSipp, expectPlayed, lastStatus, newCallId, playSipp, registerSipp } from './support/sipp.ts'
import { runTandem } from './support/tandem.ts'

const QUICK_START = resolve(import.meta.dirname, '../../examples/quickstart.yaml')
const needed = [sippAvailable(), redisAvailable()]
const missing = needed.find(({ available }) => !available)
const PASSWORD = 'a-secret-that-no-edge-may-see'

/** Carriers, each at an address of its own. */
const AT = { first: '127.0.0.11', second: '127.0.0.12', narrow: '127.0.0.13', asking: '127.0.0.14' } as const
type Carrier = keyof typeof AT

const trunk = (name: Carrier, port: number, more = ''): string =>
  `kind: Trunk\nmetadata: { name: ${name} }\nspec: { hosts: [{ host: ${AT[name]}, port: ${port} }], firstResponseMs: 1000${more} }\n`

const resourcesAt = (port: number): string[] => [
  'kind: NumberPlan\nmetadata: { name: germany }\nspec: { country: "+49", emergency: { numbers: ["112"], trunk: second } }\n',
  trunk(
    'first',
    port,
    ', inbound: allow, numbersIn: { form: e164WithoutPlus }, numbersOut: { form: e164WithoutPlus }, ratePlan: dear',
  ),
  trunk('second', port, ', ratePlan: cheap'),
  trunk('narrow', port, ', maxCalls: 1'),
  trunk('asking', port, `, credentials: { username: acme, password: ${PASSWORD} }`),
  'kind: RatePlan\nmetadata: { name: dear }\nspec: { currency: EUR, rates: [{ prefix: "*", perMinuteMicros: 9000000 }] }\n',
  'kind: RatePlan\nmetadata: { name: cheap }\nspec: { currency: EUR, rates: [{ prefix: "*", perMinuteMicros: 60000, firstIncrementMs: 1000, nextIncrementMs: 1000 }] }\n',
  'kind: TrunkGroup\nmetadata: { name: cheapest }\nspec: { trunks: [first, second], order: leastCost }\n',
  'kind: Route\nmetadata: { name: poland }\nspec: { prefix: "+48", trunkGroup: cheapest }\n',
  'kind: TrunkGroup\nmetadata: { name: both }\nspec: { trunks: [first, second] }\n',
  'kind: TrunkGroup\nmetadata: { name: spill }\nspec: { trunks: [narrow, second] }\n',
  'kind: Route\nmetadata: { name: germany }\nspec: { prefix: "+49", trunkGroup: both }\n',
  'kind: Route\nmetadata: { name: austria }\nspec: { prefix: "+43", trunkGroup: spill }\n',
  'kind: Route\nmetadata: { name: asking }\nspec: { prefix: "+41", trunk: asking }\n',
  'kind: Number\nmetadata: { name: desk }\nspec: { number: "+4989555", domain: example.test, to: { subscriber: bob } }\n',
  'kind: Schedule\nmetadata: { name: office }\nspec: { timeZone: Europe/Berlin, weekly: [{ days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00" }], calendars: [feasts] }\n',
  'kind: Schedule\nmetadata: { name: always }\nspec: { timeZone: Europe/Berlin, weekly: [{ days: [mon, tue, wed, thu, fri, sat, sun], from: "00:00", to: "24:00" }] }\n',
  'kind: HolidayCalendar\nmetadata: { name: feasts }\nspec: { days: [{ date: 12-25, name: Christmas }] }\n',
  'kind: CallFlow\nmetadata: { name: desk-by-hour, domain: example.test }\nspec: { holiday: { calendars: [feasts], timeZone: Europe/Berlin, to: { reject: { status: 480 } } }, branches: [{ schedule: office, to: { subscriber: bob } }], default: { to: { subscriber: carol } } }\n',
  'kind: CallFlow\nmetadata: { name: open, domain: example.test }\nspec: { branches: [{ schedule: always, to: { subscriber: bob } }], default: { to: { subscriber: carol } } }\n',
  'kind: HuntGroup\nmetadata: { name: in-order, domain: example.test }\nspec: { strategy: sequential, ringMs: 1000, members: [bob, carol] }\n',
  'kind: HuntGroup\nmetadata: { name: turns, domain: example.test }\nspec: { strategy: round-robin, ringMs: 5000, members: [bob, carol] }\n',
  'kind: HuntGroup\nmetadata: { name: agents, domain: example.test }\nspec: { login: true, members: [alice, bob] }\n',
  'kind: HuntGroup\nmetadata: { name: stubborn, domain: example.test }\nspec: { strategy: sequential, ringMs: 1000, rounds: 3, members: [bob] }\n',
  'kind: RatePlan\nmetadata: { name: mobile }\nspec: { currency: EUR, rates: [{ prefix: "*", perMinuteMicros: 120000, firstIncrementMs: 1000, nextIncrementMs: 1000 }] }\n',
  'kind: Account\nmetadata: { name: hal-pays }\nspec: { billing: prepaid, ratePlan: mobile }\n',
  'kind: Subscriber\nmetadata: { name: hal, domain: example.test }\nspec: { credentials: { password: hal-secret }, account: hal-pays, forwarding: { busy: { number: "+48555" } } }\n',
  'kind: Subscriber\nmetadata: { name: gina, domain: example.test }\nspec: { credentials: { password: gina-secret }, account: demo, forwarding: { busy: { subscriber: bob } } }\n',
]

let redis: RunningRedis
let cluster: Cluster
let port = 0
let config = ''
const folder = mkdtempSync(join(tmpdir(), 'tandem-routing-'))
const running: RunningSipp[] = []

function writeConfig(): string {
  const text = readFileSync(QUICK_START, 'utf8').replace(
    'accounting: true',
    'accounting: true\n  numberPlan: germany\n  featureCodes: { groupLogin: "*50", groupLogout: "*51" }',
  )
  expect(text).toContain('numberPlan')
  const file = join(folder, 'cluster.yaml')
  writeFileSync(file, [text, ...resourcesAt(port).map((part) => `apiVersion: tandem/v1\n${part}`)].join('\n---\n'))
  return file
}

beforeAll(async () => {
  if (missing !== undefined) return
  redis = await startRedis()
  const basePort = await freeBlock()
  port = basePort + 40
  config = writeConfig()
  cluster = await Cluster.start({ processes: 'many', store: redis.url, config, basePort })
}, 60_000)
beforeEach(async (context) => {
  if (missing?.available === false) return context.skip(missing.reason)
  const isReady = async () =>
    (await Promise.all([0, 1].map((edge) => cluster.http(edge, '/readyz')))).join() === '200,200'
  await waitUntil('both edges', isReady, 20_000)
})
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop(0)
})
afterAll(async () => {
  await cluster?.stop()
  await redis?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** A carrier that does what the scenario says with one call. */
async function carrier(name: Carrier, scenario: string, more: { status?: number; pauseMs?: number } = {}) {
  const keys = { login: 'acme', secret: PASSWORD }
  const one = await beginSipp({ scenario, address: AT[name], localPort: port, timeoutMs: 30_000, keys, ...more })
  running.push(one)
  return one
}

/** A phone of `user` that does what the scenario says with one call. */
async function phone(user: string, scenario: string, more: { status?: number; pauseMs?: number } = {}) {
  const one = await beginSipp({ scenario, timeoutMs: 30_000, ...more })
  running.push(one)
  await registerSipp(user, cluster.sipPort(1), one.port)
  return one
}

/** Alice calls, talks for a moment and hangs up. */
async function talk(callee: string, edge = 0, pauseMs = 300): Promise<string> {
  const callId = newCallId('routing')
  expectPlayed(
    await playSipp({
      scenario: 'call-and-hang-up',
      port: cluster.sipPort(edge),
      user: 'alice',
      callId,
      keys: { callee },
      pauseMs,
    }),
  )
  return callId
}

const refusal = async (callee: string): Promise<number> =>
  lastStatus(
    await playSipp({ scenario: 'call-and-be-refused', port: cluster.sipPort(0), user: 'alice', keys: { callee } }),
  )

/** Whom an INVITE asked for, at a carrier or a phone. */
const invited = ({ messages }: SippResult): string[] =>
  [...messages.matchAll(/^INVITE sip:([^@ ]+)@/gm)].map(([, to]) => to as string)

const tandem = (...args: string[]) =>
  runTandem([...args, '--config', config], { TANDEM_POLICY_GRPC_PORT: String(cluster.basePort + 21) })

/** Process ids of the policy nodes. */
const policies = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const [status, args] = ['status', 'cmdline'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'latin1'))
        return (
          new RegExp(`^PPid:\\s${cluster.process.pid}$`, 'm').test(status ?? '') && /\0run\0policy\0/.test(args ?? '')
        )
      } catch {
        return false
      }
    })
    .map(Number)

interface Attempt {
  readonly trunk: string
  readonly status: number
}
/** Trunk and status of each attempt on record. */
async function attempts(callId: string): Promise<[string, number][]> {
  const record = (await cluster.record(callId, 15_000)) as unknown as { readonly attempts: readonly Attempt[] }
  return record.attempts.map((one) => [one.trunk, one.status])
}

describe('out', () => {
  it('503 of the first trunk: the second one, in its own form; both are in the record', async () => {
    const first = await carrier('first', 'ring-and-refuse', { status: 503, pauseMs: 50 })
    const second = await carrier('second', 'answer')
    const callId = await talk('030123')
    expect(invited(await first.result)).toEqual(['4930123'])
    expect(invited(await second.result)).toEqual(['+4930123'])
    expect(await attempts(callId)).toEqual([
      ['first', 503],
      ['second', 200],
    ])
  })

  it('silence of the first trunk: the second one after a second', async () => {
    await carrier('first', 'say-nothing', { pauseMs: 20_000 })
    const second = await carrier('second', 'answer')
    const begin = performance.now()
    const callId = await talk('030124')
    expect(performance.now() - begin).toBeGreaterThan(1_000)
    expectPlayed(await second.result)
    expect((await attempts(callId)).map(([name]) => name)).toEqual(['first', 'second'])
  })

  it('the cheapest trunk first; cost and margin are in the record', async () => {
    const second = await carrier('second', 'answer')
    const callId = await talk('+48123')
    expect(invited(await second.result)).toEqual(['+48123'])
    const record = (await cluster.record(callId, 15_000)) as unknown as Record<'price' | 'cost' | 'margin', string>
    const micros = (amount: string): number => Math.round(Number(amount) * 1_000_000)
    expect(record.cost).toBe('0.001000')
    expect(micros(record.price)).toBeGreaterThan(20_000)
    expect(micros(record.margin)).toBe(micros(record.price) - 1_000)
  })

  it.each([486, 603, 404])('%d is the answer: no other trunk is tried', async (status) => {
    await carrier('first', 'ring-and-refuse', { status, pauseMs: 50 })
    const second = await carrier('second', 'answer')
    expect(await refusal('030125')).toBe(status)
    expect(invited(await second.stop(0))).toEqual([])
  })

  it('one call at most by a trunk, over both edges: the next one goes on to another', async () => {
    const narrow = await carrier('narrow', 'answer')
    const second = await carrier('second', 'answer')
    const one = talk('+43111', 0, 4_000)
    const isTaken = async () => /"calls": 1\b/.test((await tandem('trunks', 'narrow', '-o', 'json')).out)
    await waitUntil('the first call at the trunk', isTaken, 10_000, 100)
    const other = await talk('+43112', 1)
    expect(invited(await second.result)).toEqual(['+43112'])
    expect((await attempts(other)).at(-1)).toEqual(['second', 200])
    await one
    expect(invited(await narrow.result)).toEqual(['+43111'])
  })

  it("a carrier's challenge is answered; no process says the password", async () => {
    const asking = await carrier('asking', 'challenge-and-answer')
    await talk('+41444')
    expectPlayed(await asking.result)
    expect(cluster.process.output()).not.toContain(PASSWORD)
  })
})

describe('in', () => {
  const fromCarrier = (callee: string, scenario = 'call-open-and-hang-up') =>
    playSipp({ scenario, port: cluster.sipPort(0), from: AT.first, keys: { callee, domain: '127.0.0.1' } })

  it('a number reaches its extension', async () => {
    const bob = await phone('bob', 'answer')
    expectPlayed(await fromCarrier('4989555'))
    expect(invited(await bob.result)).toEqual(['bob'])
  })

  it('an unknown number is 404', async () => {
    expect(lastStatus(await fromCarrier('4989556', 'call-open-unreached'))).toBe(404)
  })
})

describe('extensions and hours', () => {
  it('by day, at night and on holidays: the plan, and a call now', async () => {
    const plan = async (at: string): Promise<string> =>
      (await tandem('route-test', '--from', 'alice@example.test', '--to', 'desk-by-hour', '--at', at)).out
    expect(await plan('2026-11-23T10:00+01:00')).toMatch(/bob@example\.test/)
    expect(await plan('2026-11-23T20:00+01:00')).toMatch(/carol@example\.test/)
    expect(await plan('2026-12-25T10:00+01:00')).toMatch(/480/)
    const bob = await phone('bob', 'answer')
    await talk('open')
    expectPlayed(await bob.result)
  })

  it('one after the other: who does not answer within a second is cancelled, the next one rings', async () => {
    const bob = await phone('bob', 'ring-until-cancelled')
    const carol = await phone('carol', 'answer')
    await talk('in-order')
    expectPlayed(await bob.result)
    expectPlayed(await carol.result)
  })

  it('by turn: two calls through two edges ring two phones', async () => {
    const bob = await phone('bob', 'answer')
    const carol = await phone('carol', 'answer')
    await talk('turns', 0)
    await talk('turns', 1)
    expectPlayed(await bob.result)
    expectPlayed(await carol.result)
  })

  it('a member logs in by feature code and rings, logs out and does not', async () => {
    const call = {
      scenario: 'call-and-be-refused',
      port: cluster.sipPort(1),
      user: 'carol',
      keys: { callee: 'agents' },
    }
    expect(lastStatus(await playSipp(call))).toBe(480)
    const dialled = await playSipp({ ...call, user: 'alice', keys: { callee: '*50agents' } })
    expect(dialled.messages).toContain('SIP/2.0 480 Logged in to agents')
    const alice = await phone('alice', 'answer')
    expectPlayed(await playSipp({ ...call, scenario: 'call-and-hang-up' }))
    expectPlayed(await alice.result)
    const { out } = await tandem('group', 'list', 'agents@example.test', '-o', 'json')
    expect(out).toMatch(/"member": "alice@example.test",\s+"loggedInMs"/)
    const left = await playSipp({ ...call, user: 'alice', keys: { callee: '*51' } })
    expect(left.messages).toContain('SIP/2.0 480 Logged out of agents')
    expect(lastStatus(await playSipp(call))).toBe(480)
  })

  it('one extension is kept ringing, and answers in the second round', async () => {
    const bob = await phone('bob', 'ring-twice')
    await talk('stubborn')
    expectPlayed(await bob.result)
  })

  it('busy: on to another', async () => {
    await phone('gina', 'ring-and-refuse', { status: 486, pauseMs: 50 })
    const bob = await phone('bob', 'answer')
    await talk('gina')
    const { messages } = await bob.result
    expect(messages).toMatch(/^Diversion: <sip:gina@example\.test>.*reason=user-busy/m)
  })
})

describe('sent on to a number', () => {
  interface Balance {
    readonly balance: number
    readonly held: number
    readonly ledgerSum: number
  }
  const balanceOf = async (account: string): Promise<Balance> =>
    JSON.parse((await tandem('balance', account, '--ledger', '-o', 'json')).out) as Balance
  const micros = (amount: string | null | undefined): number => Math.round(Number(amount) * 1_000_000)
  interface Paid {
    readonly price: string
    readonly duration_ms: number
    readonly forwards: readonly { readonly account: string; readonly price: string; readonly rate_plan: string }[]
  }

  it('who can not pay for it is busy; with money each pays his leg to the micro-unit, though policy is killed while they talk', async () => {
    await phone('hal', 'ring-and-refuse', { status: 486, pauseMs: 50 })
    expect(await refusal('hal')).toBe(486)
    const toppedUp = await tandem('topup', 'hal-pays', '1', '--key', 'sent-on-1')
    expect(toppedUp.status).toBe(0)
    await phone('hal', 'ring-and-refuse', { status: 486, pauseMs: 50 })
    const second = await carrier('second', 'answer')
    const calling = talk('hal', 0, 4_000)
    await waitUntil('the hold of who sends it on', async () => (await balanceOf('hal-pays')).held > 0, 10_000, 100)
    for (const pid of policies()) process.kill(pid, 'SIGKILL')
    const callId = await calling
    expect(invited(await second.result)).toEqual(['+48555'])
    const record = (await cluster.record(callId, 30_000)) as unknown as Paid
    const seconds = Math.ceil(record.duration_ms / 1_000)
    expect(record.forwards).toMatchObject([{ account: 'hal-pays', rate_plan: 'mobile' }])
    expect(micros(record.forwards[0]?.price)).toBe(2_000 * seconds)
    expect(micros(record.price)).toBe(20_000 + Math.ceil((10_000 * seconds) / 60))
    const left = 1_000_000 - 2_000 * seconds
    expect(await balanceOf('hal-pays')).toMatchObject({ balance: left, held: 0, ledgerSum: left })
    const { out } = await tandem('route-test', '--from', 'alice@example.test', '--to', 'hal')
    expect(out).toMatch(/sip:\+48555@.*sent on by hal-pays 0\.12\/min/)
  }, 120_000)
})

it('voice, video and messages are offered as they were; the record says which', async () => {
  const bob = await phone('bob', 'answer')
  const callId = newCallId('media')
  const caller = { port: cluster.sipPort(0), user: 'alice', callId, keys: { callee: 'bob' } }
  expectPlayed(await playSipp({ scenario: 'call-with-media', ...caller }))
  const { messages } = await bob.result
  for (const line of ['m=audio 40000 RTP/AVP 8 0', 'm=video 40002 RTP/AVP 99', 'm=message 40004 TCP/MSRP *'])
    expect(messages).toContain(line)
  expect(await cluster.record(callId, 15_000)).toMatchObject({ media: 'audio,video,message' })
})

describe('emergencies', () => {
  it('112 rings while every policy node is dead', async () => {
    const second = await carrier('second', 'answer')
    const pids = policies()
    expect(pids.length).toBeGreaterThan(0)
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    try {
      const keys = { callee: '112', domain: 'example.test' }
      expectPlayed(await playSipp({ scenario: 'call-by-user', port: cluster.sipPort(0), user: 'alice', keys }))
      expect(invited(await second.result)).toEqual(['112'])
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    }
  })
})
