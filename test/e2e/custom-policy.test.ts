// SPDX-License-Identifier: MIT
// examples/custom-policy as a process, beside location and an edge that ask nobody else: SIPp registers, calls through, is refused; the
// records that it prints. Then without it: killed in the middle of a call, stopped, away, by the failure modes of two domains.
// Does not test: what it answers to what (packages/rpc/src/custom-policy.test.ts).
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type ManagedProcess, sippAvailable, startProcess, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { freeBlock } from './support/cluster.ts'
import { withPhone } from './support/phone.ts'
import { beginSipp, expectPlayed, newCallId, playSipp } from './support/sipp.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const MAIN = join(ROOT, 'cli/dist/main.js')
const DOMAIN = 'example.test'
const CLOSED = 'closed.test'
const DEADLINE_MS = 400
const START_MS = 60_000
const LONG_MS = 20_000
const AT = { edgeHttp: 10, location: 20, locationHttp: 22, policy: 24 }

const sipp = sippAvailable()
let base = 0
let folder = ''
let policy: ManagedProcess
const running: ManagedProcess[] = []

async function tandem(service: string, httpOffset: number): Promise<void> {
  const args = [MAIN, 'run', service, '--config', join(folder, 'cluster.json')]
  const child = await startProcess({ command: process.execPath, args, cwd: ROOT })
  running.push(child)
  const isReady = async (): Promise<boolean> => {
    if (child.end !== undefined) throw new Error(`${service} ended\n${child.output()}`)
    const answer = await fetch(`http://127.0.0.1:${base + httpOffset}/readyz`).catch(() => undefined)
    return answer?.status === 200
  }
  await waitUntil(`${service} to be ready`, isReady, START_MS, 50)
}

async function startPolicy(): Promise<void> {
  policy = await startProcess({
    command: process.execPath,
    args: ['policy.ts'],
    cwd: join(ROOT, 'examples/custom-policy'),
    env: { LISTEN: `127.0.0.1:${base + AT.policy}`, DOMAIN },
  })
  running.push(policy)
  await policy.waitForLine(/^policy listens/, START_MS)
}

/** One sample of the edge, the first one with these labels; 0 where there is none. */
async function metric(name: string, labels = ''): Promise<number> {
  const text = await fetch(`http://127.0.0.1:${base + AT.edgeHttp}/metrics`).then((answer) => answer.text())
  return Number(new RegExp(`^${name}(?:\\{[^}]*${labels}[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
}

const circuitIs = (state: number) =>
  waitUntil(`circuit ${state}`, async () => (await metric('tandem_edge_policy_circuit')) === state, LONG_MS, 50)

/** The record of a call, as the example prints it. */
async function record(to: string, since: number) {
  const lines = () =>
    policy
      .output()
      .slice(since)
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}') && line.includes(`"sip:${to}@`))
  await waitUntil(`the record of a call to ${to}`, async () => lines().length > 0, LONG_MS, 50)
  return JSON.parse(lines()[0] ?? '') as { call: string; status: number; ms?: number; from: string }
}

async function register(user: string, contactPort: number): Promise<void> {
  const contact = `<sip:${user}@127.0.0.1:${contactPort}>`
  expectPlayed(await playSipp({ scenario: 'register-open', port: base, user, keys: { contact, domain: DOMAIN } }))
}

/** A phone of `callee` that answers, and a call to it; comes back when the caller has hung up. */
async function callThrough(callee: string, during: () => Promise<void> = async () => undefined): Promise<void> {
  const phone = await beginSipp({ scenario: 'answer' })
  await register(callee, phone.port)
  const callId = newCallId('custom')
  const call = { scenario: 'call-by-user', port: base, user: 'alice', callId, keys: { callee, domain: DOMAIN } }
  const made = playSipp({ ...call, pauseMs: 1_000 })
  await during()
  expectPlayed(await made)
  expectPlayed(await phone.result)
}

/** The status of a request by alice that reaches nobody's phone. */
function statusOf(method: string, uri: string): Promise<number> {
  return withPhone({ user: 'alice', port: base }, async (phone) => {
    const headers = [`Contact: ${phone.contact}`]
    return (await phone.ask(method, { uri, to: `<${uri}>`, headers })).status
  })
}

beforeAll(async () => {
  if (!sipp.available) return
  base = await freeBlock([0, 90, ...Object.values(AT)])
  folder = mkdtempSync(join(tmpdir(), 'tandem-custom-'))
  const settings = {
    cluster: { name: `custom-${base}`, secrets: [{ id: 1, secret: 'for-this-harness-and-no-other' }] },
    edge: {
      basePort: base,
      httpPort: base + AT.edgeHttp,
      warmUpCalls: 0,
      reportDeadlineMs: 1_000,
      decide: {
        deadlineMs: DEADLINE_MS,
        breaker: { failures: 3, openMs: 500, downMs: 1_000 },
        domains: { [DOMAIN]: { whenAway: 'open' } },
      },
    },
    location: { grpcPort: base + AT.location, httpPort: base + AT.locationHttp },
    policy: { address: `127.0.0.1:${base + AT.policy}` },
    logging: { level: 'warn' },
    shutdown: { drainMs: 500 },
  }
  writeFileSync(join(folder, 'cluster.json'), JSON.stringify(settings))
  await Promise.all([startPolicy(), tandem('location', AT.locationHttp)])
  await tandem('edge', AT.edgeHttp)
}, 2 * START_MS)

beforeEach(async (context) => {
  if (!sipp.available) return context.skip(sipp.reason)
  if (policy.end !== undefined) await startPolicy()
  policy.signal('SIGCONT')
  await circuitIs(0)
}, START_MS)

afterAll(async () => {
  await Promise.all(running.reverse().map((child) => child.stop(2_000)))
  if (folder !== '') rmSync(folder, { recursive: true, force: true })
}, START_MS)

describe('a policy service of two unary calls', () => {
  it('lets phones register and call, and prints a record of each call', async () => {
    const since = policy.output().length
    await callThrough('bob')
    const { call, status, ms, from } = await record('bob', since)
    expect({ call, status, from }).toEqual({
      call: expect.stringMatching(/^[\w-]{16}$/),
      status: 200,
      from: `sip:alice@${DOMAIN}`,
    })
    expect(ms).toBeGreaterThanOrEqual(500)
    expect(ms).toBeLessThan(20_000)
  }, 60_000)

  it('refuses with its own words, and a call that nobody answers is a line too', async () => {
    const keys = { callee: '0900123', domain: DOMAIN }
    const refused = await playSipp({ scenario: 'refused-to-user', port: base, user: 'alice', keys })
    expectPlayed(refused)
    expect(refused.messages).toContain('SIP/2.0 403 No Premium Numbers')
    const since = policy.output().length
    expect(await statusOf('INVITE', `sip:nobody@${DOMAIN}`)).toBe(480)
    expect(await record('nobody', since)).toMatchObject({ status: 480 })
  }, 60_000)
})

describe('without it', () => {
  it('killed in the middle of a call: the call goes on to its end', async () => {
    const since = policy.output().length
    const before = await metric('tandem_edge_calls_ended_total', 'result="answered"')
    await callThrough('carol', async () => {
      await waitUntil(
        'the call',
        async () => (await metric('tandem_edge_calls_ended_total', 'result="answered"')) > before,
        LONG_MS,
        20,
      )
      policy.signal('SIGKILL')
      await policy.ended
    })
    expect(policy.output().slice(since)).not.toContain('carol')
  }, 60_000)

  it('open: registered users are reached, nothing else is; closed: 503', async () => {
    const phone = await beginSipp({ scenario: 'answer' })
    await register('dave', phone.port)
    policy.signal('SIGKILL')
    await policy.ended
    await circuitIs(3)
    const keys = { callee: 'dave', domain: DOMAIN }
    expectPlayed(await playSipp({ scenario: 'call-by-user', port: base, user: 'alice', keys }))
    expectPlayed(await phone.result)
    const uris = [`sip:0049@${DOMAIN}`, `sip:nobody@${DOMAIN}`, `sip:dave@${CLOSED}`]
    for (const uri of uris) expect([uri, await statusOf('INVITE', uri)]).toEqual([uri, 503])
    expect(await statusOf('REGISTER', `sip:${DOMAIN}`)).toBe(503)
    expect(await metric('tandem_edge_decided_open_total')).toBeGreaterThanOrEqual(3)
    expect(await metric('tandem_edge_rpc_shunned_total', 'peer="policy"')).toBeGreaterThan(0)
  }, 60_000)

  it('slow: 503 after the deadline, at once when its circuit is open; asked again when it answers', async () => {
    policy.signal('SIGSTOP')
    const uri = `sip:bob@${CLOSED}`
    const began = performance.now()
    expect(await statusOf('MESSAGE', uri)).toBe(503)
    expect(performance.now() - began).toBeGreaterThanOrEqual(DEADLINE_MS)
    for (let k = 0; k < 5; k += 1) expect(await statusOf('MESSAGE', uri)).toBe(503)
    expect(await metric('tandem_edge_policy_circuit_opened_total')).toBeGreaterThan(0)
    policy.signal('SIGCONT')
    const isAnswered = async (): Promise<boolean> => (await statusOf('MESSAGE', uri)) === 403
    await waitUntil('an answer of the service', isAnswered, LONG_MS, 100)
    await circuitIs(0)
  }, 60_000)
})
