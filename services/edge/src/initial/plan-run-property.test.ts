// SPDX-License-Identifier: MIT
// Whatever plan, and whatever comes while it is carried out: responses, redirects, repetitions, losses, timers, CANCEL, lost
// connections, answers of location late or never. Every request ends, within its bounds, and leaves nothing behind.
// Does not test: which response goes up (packages/sip/src/proxy/stateful-proxy-property.test.ts).
import { policy, unknown } from '@tandem/rpc'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StreamPeer } from '../listeners/peers.ts'
import {
  ALICE,
  bindingOf,
  EdgeBench,
  messageOf,
  namesOf,
  requestText,
  responseTo,
  stepOf,
  targetOf,
  wordOf,
} from '../testing.ts'

const MAX_TARGETS = 8
const { UNSPECIFIED, BY_Q, SERIAL } = policy.Step_Forking
const at = (host: number): string => `192.0.2.${host}`
const NAMES = namesOf({ 'gw.test': [at(61), at(62)], 'far.test': [at(63), at(64)] })
const HOSTS = ['192.0.2.31', '192.0.2.32', '192.0.2.33', 'gw.test:5060', 'far.test:5060', '192.0.2.34;transport=tcp']

const uri = fc.constantFrom(...HOSTS.map((host) => `sip:bob@${host}`))
const target = fc.oneof(
  fc.record({ uri, qMilli: fc.constantFrom(0, 300, 700) }),
  fc.record({ aor: fc.constantFrom('sip:a@example.test', 'sip:b@example.test') }),
)
const step = fc.record({
  targets: fc.array(target, { maxLength: 4 }),
  forking: fc.constantFrom(UNSPECIFIED, BY_Q, SERIAL),
  ringMs: fc.constantFrom(0, 3_000),
  retryStatuses: fc.constantFrom<number[]>([], [486, 408]),
  waveSize: fc.constantFrom(undefined, undefined, 1, 2),
  again: fc.constantFrom(undefined, undefined, true),
  last: fc.constantFrom(undefined, undefined, undefined, true),
  exits: fc.option(
    fc.record({
      exits: fc.array(
        fc.record({
          statuses: fc.constantFrom<number[]>([], [486], [408, 503]),
          conditions: fc.array(fc.constantFrom(0, 1, 2, 3, 4), { maxLength: 2 }),
          step: fc.nat(4),
        }),
        { maxLength: 3 },
      ),
    }),
    { nil: undefined, freq: 2 },
  ),
})
const contact = fc.constantFrom(
  ...HOSTS.map((host) => `<sip:c@${host}>;q=0.5`),
  '<tel:+1>',
  '<sip:x@example.test>',
  '<sip:>',
)
const event = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('response' as const),
      sent: fc.nat(12),
      status: fc.constantFrom(100, 180, 200, 302, 401, 408, 430, 486, 503, 603),
      contacts: fc.array(contact, { maxLength: 3 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('location' as const), isKnown: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(50, 4_000, 33_000) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'cancel' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'again' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lost' as const), connection: fc.nat(2) }) },
)
const scenario = fc.record({
  method: fc.constantFrom('INVITE', 'INVITE', 'MESSAGE'),
  breadth: fc.constantFrom('', 'Max-Breadth: 1', 'Max-Breadth: 3'),
  steps: fc.array(step, { minLength: 1, maxLength: 3 }),
  maxRecursions: fc.constantFrom(0, 2),
  callRef: fc.constantFrom('', 'abcdefghijklmnopqrstuvwx'),
  events: fc.array(event, { maxLength: 25 }),
})
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never
type Event = Scenario['events'][number]

const BINDINGS = [31, 35, 36].map((host, k) => ({
  ...bindingOf(`sip:phone@${at(host)}`),
  instanceId: k === 0 ? '' : 'one',
  regId: k,
  qMilli: 1000 - 400 * k,
}))

/** Location answers the oldest question that it was asked. */
const answerLocation = (bench: EdgeBench, isKnown: boolean): void => {
  const method = bench.location.waiting().find((name) => name !== 'leaseEdge')
  if (method === undefined) return
  const item = bench.location.take(method)
  if (!isKnown) return item.end(unknown('timeout'))
  if (method === 'locate') item.answer({ bindings: BINDINGS, version: 1n })
  else if (method === 'beginCall') item.answer({ created: true, owner: bench.core.edgeId, epoch: 1 })
  else item.answer({ held: true })
}

const requestsOf = (bench: EdgeBench, method: string) => bench.sent.filter(({ text }) => wordOf(text) === method)

const play = (bench: EdgeBench, given: Scenario, request: string, happens: Event): void => {
  switch (happens.kind) {
    case 'response': {
      const sent = requestsOf(bench, given.method)[happens.sent]
      if (sent === undefined) return
      const lines = happens.contacts.map((value) => `Contact: ${value}`)
      const text = responseTo(sent.text, happens.status, `t${happens.sent}`, lines)
      // One of a transaction that has ended passes by its own proof, without a context (stray-response.ts).
      if (bench.core.layer.findClient(messageOf(text)) !== undefined) bench.udpIn(text, at(99))
      return
    }
    case 'location':
      return answerLocation(bench, happens.isKnown)
    case 'wait':
      return bench.advance(happens.ms)
    case 'cancel':
      if (given.method === 'INVITE') bench.udpIn(requestText({ method: 'CANCEL' }))
      return
    case 'again':
      if (bench.core.layer.serverCount > 0) bench.udpIn(request)
      return
    default: {
      const peer = bench.tcp.connections[happens.connection]?.context
      if (peer instanceof StreamPeer) for (const tx of [...peer.clients]) bench.core.layer.transportError(tx)
    }
  }
}

/** Everybody answers, and all timers run out. */
const drain = async (bench: EdgeBench): Promise<void> => {
  for (let k = 0; k < 3 * MAX_TARGETS; k += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    while (bench.location.waiting().some((name) => name !== 'leaseEdge')) answerLocation(bench, true)
    while (bench.policy.waiting().includes('report')) bench.policy.take('report').answer({})
    bench.advance(k < 8 ? 33_000 : 60_000)
  }
}

const planOf = ({ steps, maxRecursions }: Scenario): Partial<policy.Plan> => ({
  maxRecursions,
  steps: steps.map((given) =>
    stepOf({
      ...given,
      targets: given.targets.map((one) =>
        'aor' in one
          ? targetOf({ $case: 'aor', value: one.aor })
          : targetOf({ $case: 'uri', value: one.uri }, { qMilli: one.qMilli }),
      ),
    }),
  ),
})

test('every request ends, with no more branches than it may have, and nothing is left [RFC3261-16.7.6a] [RFC3261-16.5l]', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      const bench = new EdgeBench({ 'edge.limits.maxTargets': MAX_TARGETS }, 'edge-0.test', NAMES)
      const headers = given.breadth === '' ? [] : [given.breadth]
      const request = requestText({ method: given.method, headers })
      bench.udpIn(request)
      bench.plan([], planOf(given), given.method === 'INVITE' ? given.callRef : '')
      for (const happens of given.events) {
        await new Promise((resolve) => setImmediate(resolve))
        play(bench, given, request, happens)
      }
      await drain(bench)
      const { core } = bench
      const branches = new Set(requestsOf(bench, given.method).map(({ text }) => /branch=([^;\s]+)/.exec(text)?.[1]))
      expect(branches.size).toBeLessThanOrEqual(MAX_TARGETS)
      expect([core.proxy.inProgress, core.proxy.isIdle]).toEqual([0, true])
      expect([core.layer.clientCount, core.layer.serverCount, core.layer.runningTimers]).toEqual([0, 0, 0])
      const up = bench.sent.filter(({ to }) => to === `udp ${ALICE}:5060`).map(({ text }) => text)
      const finals = up.filter((text) => Number(wordOf(text)) >= 200 && !text.includes('CSeq: 1 CANCEL'))
      const failures = new Set(finals.filter((text) => Number(wordOf(text)) >= 300))
      expect(failures.size).toBeLessThanOrEqual(1)
      if (given.method === 'INVITE') expect(finals.length).toBeGreaterThan(0)
      bench.close()
    }),
    { numRuns: 60 },
  )
}, 30_000)
