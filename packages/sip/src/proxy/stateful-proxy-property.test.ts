// SPDX-License-Identifier: MIT
// Whatever comes, in whatever order: responses of several branches, their repetitions and losses, transport errors, timers, CANCEL,
// repeated requests, failover, followed redirects. Every context ends, with at most one failure up, no 2xx of an INVITE lost
// (RFC 3261 section 16.7), and nothing left behind.
// Does not test: bytes (the other suites of this folder).
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { STATE } from '../transaction/index.ts'
import { messageOf, ProxyBench, requestText, responseTo, Script, TestPeer, wordOf } from './testing.ts'

const STATUSES = [100, 180, 183, 199, 200, 202, 302, 401, 407, 408, 430, 486, 487, 500, 503, 600, 603]

const event = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      peer: fc.nat(4),
      status: fc.constantFrom(...STATUSES),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('repeat' as const), at: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('error' as const), peer: fc.nat(4) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(50, 600, 5_000, 33_000, 190_000) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'cancel' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'request' as const }) },
)

const scenario = fc.record({
  method: fc.constantFrom('INVITE', 'INVITE', 'INVITE', 'MESSAGE'),
  steps: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 }),
  ringMs: fc.constantFrom(0, 0, 4_000),
  standIns: fc.nat(2),
  headers: fc.constantFrom<string[]>([], ['Supported: 199']),
  events: fc.array(event, { maxLength: 25 }),
})
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never

/** One run: peers by number, and what a caller must have got. */
class Run {
  readonly bench = new ProxyBench()
  readonly expected2xx: string[] = []
  private readonly peers: TestPeer[] = []
  private readonly delivered: string[] = []
  private readonly text: string
  private tags = 0

  constructor(given: Scenario) {
    const { bench } = this
    this.text = requestText({ method: given.method, headers: given.headers })
    const steps = given.steps.map((count) => ({
      peers: Array.from({ length: count }, () => this.addPeer()),
      ringMs: given.ringMs,
    }))
    const script = new Script(bench, steps)
    let standIns = given.standIns
    script.onFailOver = (context) => {
      standIns -= 1
      if (standIns < 0) return false
      bench.fork(context, this.addPeer(), 0)
      return true
    }
    script.onRedirect = (context) => {
      standIns -= 1
      if (standIns < 0) return undefined
      bench.fork(context, this.addPeer(), 0)
      return standIns === 0 ? '' : 'Contact: <tel:+1>\r\n'
    }
    bench.open(script, this.text)
  }

  private addPeer(): TestPeer {
    const peer = new TestPeer(`peer${this.peers.length}`, `203.0.113.${this.peers.length + 1}`)
    this.peers.push(peer)
    return peer
  }

  play(step: Scenario['events'][number], method: string): void {
    switch (step.kind) {
      case 'answer':
        return this.answer(step.peer, step.status, method)
      case 'repeat': {
        const text = this.delivered[step.at]
        if (text !== undefined) this.bench.receiveResponse(text)
        return
      }
      case 'error': {
        const client = this.bench.contexts[0]?.branches[step.peer]?.client
        if (client !== undefined) this.bench.layer.transportError(client)
        return
      }
      case 'wait':
        return this.bench.advance(step.ms)
      case 'cancel':
        if (method === 'INVITE') this.bench.receiveRequest(requestText({ method: 'CANCEL' }))
        return
      default:
        this.bench.receiveRequest(this.text)
    }
  }

  private answer(at: number, status: number, method: string): void {
    const peer = this.peers[at]
    if (peer === undefined || !peer.sent.some((text) => wordOf(text) === method)) return
    this.tags += 1
    const tag = `t${this.tags}`
    const text = responseTo(peer.last(method), status, tag)
    this.delivered.push(text)
    const client = this.bench.layer.findClient(messageOf(text))
    const takes2xx = client !== undefined && client.state <= STATE.ACCEPTED
    const isLive = this.failuresUp() === 0
    this.bench.receiveResponse(text)
    if (method === 'INVITE' && status >= 200 && status < 300 && takes2xx && isLive) this.expected2xx.push(tag)
  }

  /** Different failures that went up; repetitions are the same bytes. */
  failuresUp(): number {
    return new Set(this.finals().filter((text) => Number(wordOf(text)) >= 300)).size
  }

  finals(): string[] {
    return this.bench.caller.sent.filter((text) => Number(wordOf(text)) >= 200)
  }
}

test('every context ends, one failure up at most, no 2xx of an INVITE lost, nothing left [RFC3261-16.7.6a] [RFC3261-16.7.5e] [RFC3261-16.7.9f]', () => {
  fc.assert(
    fc.property(scenario, (given) => {
      const run = new Run(given)
      const { bench } = run
      for (const step of given.events) run.play(step, given.method)
      bench.advance(4 * 190_000) // two steps that ring out, their CANCELs, the lingering timers

      const finals = run.finals()
      const failures = run.failuresUp()
      const successes = finals.filter((text) => Number(wordOf(text)) < 300)
      expect(failures).toBeLessThanOrEqual(1)
      if (given.method === 'INVITE') {
        expect(failures === 0 || successes.length === 0).toBe(true)
        expect(finals.length).toBeGreaterThan(0)
        for (const tag of run.expected2xx) expect(successes.some((text) => text.includes(`;tag=${tag}\r\n`))).toBe(true)
      } else expect(new Set(finals).size).toBeLessThanOrEqual(1)
      const firstFinal = bench.caller.sent.findIndex((text) => Number(wordOf(text)) >= 200)
      const late =
        firstFinal < 0 ? [] : bench.caller.sent.slice(firstFinal).filter((text) => Number(wordOf(text)) < 200)
      expect(late).toEqual([]) // [RFC3261-16.7.5f]
      expect([bench.layer.clientCount, bench.layer.serverCount, bench.layer.runningTimers]).toEqual([0, 0, 0])
      expect([bench.proxy.isIdle, bench.proxy.inProgress]).toEqual([true, 0])
    }),
    { numRuns: 300 },
  )
}, 20_000)
