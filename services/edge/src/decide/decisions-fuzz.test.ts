// SPDX-License-Identifier: MIT
// Whatever policy answers, of random fields or of random bytes: nothing is thrown, every message that leaves can be read and holds what
// was the sender's own, and the request gets a final response. The same for what policy pushes.
// Does not test: what the wire itself refuses (packages/rpc/src/circuit.test.ts).
import { policy } from '@tandem/rpc'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ALICE, BOB, bindingOf, EdgeBench, messageOf, requestText, responseTo, valuesOf, wordOf } from '../testing.ts'

const RUNS = 150
const NASTY = [
  '',
  'sip:bob@example.test',
  `sip:bob@${BOB}`,
  `sip:gw@${BOB};transport=tcp`,
  `sips:gw@${BOB}`,
  '<sip:bob@192.0.2.30>;q=0.5',
  'tel:+4930',
  'a\r\nVia: SIP/2.0/UDP 192.0.2.66',
  'x\nContent-Length: 5\n\nhello',
  '\u010d\u010aVia: x',
  '\0',
  '"',
  '\u00e4\u{1f600}',
  'x'.repeat(9_000),
  'Digest realm="a", nonce="b"',
  'sip:?;;=@:',
  'sip:a@[::1',
  'sip:%00@b',
]
const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...NASTY) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
)
const name = fc.oneof(
  fc.constantFrom(
    'Via',
    'v',
    'From',
    'Call-ID',
    'CSeq',
    'Route',
    'Content-Length',
    'Subject',
    'P-Asserted-Identity',
    'X-A',
    'Privacy',
  ),
  text,
)
const number = fc.constantFrom(0, 1, 99, 100, 180, 200, 302, 401, 407, 480, 603, 699, 700, 60_000, 2 ** 31, 0xffffffff)
const list = <T>(one: fc.Arbitrary<T>, maxLength = 3): fc.Arbitrary<T[]> => fc.array(one, { maxLength })

const where = fc.oneof(
  fc.record({ $case: fc.constant('aor'), value: text }),
  fc.record({ $case: fc.constant('uri'), value: text }),
  fc.constant(undefined),
)
const target = fc.record({
  where,
  instanceId: fc.oneof(fc.constant(''), text),
  registrationHash: fc.constantFrom(0, 7),
  trusted: fc.boolean(),
  retarget: fc.option(fc.record({ from: text, reason: text }), { nil: undefined }),
  qMilli: number,
})
const step = fc.record({
  targets: list(target),
  ringMs: number,
  retryStatuses: list(number),
  forking: fc.constantFrom(0, 1, 2, 9),
})
const edit = fc.record({ operation: fc.constantFrom(0, 1, 2, 9), name, value: text })
const plan = fc.record({
  steps: list(step, 2),
  edits: list(edit, 2),
  maxDurationS: number,
  accounting: fc.boolean(),
  stateless: fc.boolean(),
  maxRecursions: number,
  sourceTrusted: fc.boolean(),
})
const expiry = { aor: text, minExpiresS: number, maxExpiresS: number, defaultExpiresS: number }
const verdicts: Record<string, fc.Arbitrary<unknown>> = {
  challenge: fc.record({ status: number, values: list(text) }),
  reject: fc.record({
    status: number,
    reason: text,
    retryAfterS: number,
    code: text,
    reasonText: text,
    warningText: text,
  }),
  redirect: fc.record({ status: number, contacts: list(text), aor: text }),
  plan,
  admit: fc.record({ ...expiry, maxContacts: number, replaceOldest: fc.boolean(), serviceRoute: fc.boolean() }),
  answer: fc.record({ status: number }),
  watchRegistrations: fc.record(expiry),
}
const verdict = fc.oneof(
  { weight: 6, arbitrary: fc.record({ $case: fc.constant('plan'), value: plan }) },
  ...Object.entries(verdicts).map(([$case, value]) => fc.record({ $case: fc.constant($case), value })),
)
const decision = fc
  .record({ verdict, callRef: fc.oneof(fc.constantFrom('', 'abcdefgh'), text), identity: text, account: text })
  .map((fields) => policy.DecideResponse.fromPartial(fields as never))

const METHODS = ['INVITE', 'REGISTER', 'MESSAGE', 'SUBSCRIBE', 'OPTIONS'] as const
const MODES = ['closed', 'open', 'last-known'] as const

/** What was the sender's own must be in every message once, as it was; and every line must be one. */
function expectSound(sent: string, callId: string): void {
  messageOf(sent)
  const [head = ''] = sent.split('\r\n\r\n', 1)
  const lines = head.split('\r\n').slice(1)
  for (const line of lines) expect(line).toMatch(/^[\w!%'*+.`~-]+\s*:[\t -~\x80-\xff]*$/)
  for (const header of ['From', 'To', 'Call-ID', 'CSeq', 'Content-Length'])
    expect([header, valuesOf(sent, header).length]).toEqual([header, 1])
  expect(valuesOf(sent, 'Call-ID')).toEqual([callId])
  expect(valuesOf(sent, 'From')[0]).toMatch(/^<sip:alice@example\.test>;tag=alice$/)
  const status = Number(/^SIP\/2\.0 (\d+) /.exec(sent)?.[1] ?? 200)
  expect(status >= 100 && status <= 699).toBe(true)
}

function answerLocation(bench: EdgeBench): void {
  const bindings = [bindingOf(`sip:bob@${BOB}:5060`)]
  const answers: Record<string, unknown> = {
    locate: { bindings, version: 1n },
    register: { bindings, version: 1n },
    beginCall: { created: true, owner: bench.core.edgeId, epoch: 1 },
    subscribe: { notification: undefined },
  }
  for (let k = 0; k < 20; k += 1) {
    const method = bench.location.waiting().find((waiting) => waiting !== 'leaseEdge')
    if (method === undefined) return
    bench.location.take(method).answer(answers[method] ?? { held: true })
  }
}

/** Phones refuse what reaches them, so that one target follows another. */
function refuseAll(bench: EdgeBench): void {
  for (let k = 0; k < 40; k += 1) {
    answerLocation(bench)
    const before = bench.sent.length
    for (const { text: sent, to } of bench.sent.slice(-4)) {
      const [kind, place = ''] = to.split(' ')
      if (kind === 'udp' && !sent.startsWith('SIP/2.0') && wordOf(sent) !== 'ACK')
        bench.udpIn(responseTo(sent, 486), place.replace(/:\d+$/, ''), Number(place.replace(/^.*:/, '')))
    }
    if (bench.sent.length === before) return
  }
}

/** Names that are asked for are unknown, a turn later. */
const names = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function run(method: string, whenAway: string, decided: policy.DecideResponse): Promise<void> {
  const bench = new EdgeBench({ 'edge.decide.whenAway': whenAway, 'edge.decide.emergencyTargets': [] })
  const errors: unknown[] = []
  bench.core.logger.error = ((...told: unknown[]) => errors.push(told)) as never
  try {
    const headers = method === 'REGISTER' || method === 'SUBSCRIBE' ? [`Contact: <sip:a@${ALICE}>`, 'Event: reg'] : []
    bench.udpIn(
      requestText({ method, headers, uri: method === 'REGISTER' ? 'sip:example.test' : 'sip:bob@example.test' }),
    )
    bench.policy.take('decide').answer(decided)
    for (let k = 0; k < 4; k += 1) {
      await names()
      refuseAll(bench)
    }
    if (method === 'INVITE') bench.udpIn(requestText({ method: 'CANCEL' }))
    for (let k = 0; k < 4; k += 1) {
      bench.advance(33_000)
      await names()
      refuseAll(bench)
    }
    for (const { text: sent } of bench.sent) expectSound(sent, 'call-1')
    const finals = bench.sent.filter(
      ({ text: sent }) => /^SIP\/2\.0 [2-6]/.test(sent) && sent.includes(` ${method}\r\n`),
    )
    const isStateless = decided.verdict?.$case === 'plan' && decided.verdict.value.stateless
    if (!isStateless) expect(finals.length).toBeGreaterThan(0)
    expect(bench.core.counts.droppedByBug).toBe(0)
    expect(errors.filter((told) => JSON.stringify(told).includes('bug:'))).toEqual([])
  } finally {
    bench.close()
  }
}

test('[DESIGN-3.5] random fields', async () => {
  await fc.assert(fc.asyncProperty(fc.constantFrom(...METHODS), fc.constantFrom(...MODES), decision, run), {
    numRuns: RUNS,
  })
}, 60_000)

test('[DESIGN-3.5] a good plan with some of its bytes turned', async () => {
  const step = {
    targets: [
      { where: { $case: 'aor', value: 'sip:bob@example.test' } },
      { where: { $case: 'uri', value: `sip:gw@${BOB}` } },
    ],
  }
  const edits = [{ operation: 1, name: 'Subject', value: 'hello' }]
  const good = policy.DecideResponse.encode(
    policy.DecideResponse.fromPartial({
      verdict: { $case: 'plan', value: { steps: [step], edits } },
      callRef: 'abcdefgh',
    } as never),
  ).finish()
  const turned = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...METHODS), fc.constantFrom(...MODES), turned, async (method, mode, changes) => {
      const bytes = Buffer.from(good)
      for (const [at, value] of changes) bytes[at] = value
      let decided: policy.DecideResponse
      try {
        decided = policy.DecideResponse.decode(bytes)
      } catch {
        return // the wire ends its stream
      }
      await run(method, mode, decided)
    }),
    { numRuns: RUNS },
  )
}, 60_000)
