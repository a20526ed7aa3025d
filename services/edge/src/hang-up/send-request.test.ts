// SPDX-License-Identifier: MIT
// The way of a request of ours inside a dialog on record: Route sets of both sides, strict routers, flows of other edges, forged records. What
// becomes of hang-ups is in test/hang-up.
import type { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, BOB, bindingOf, EdgeBench, edgeOf, requestText, responseTo, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const REF = '4fkIlH7SYV1BCW42yu'
const CONTACTS = { alice: `Contact: <sip:alice@${ALICE}>`, bob: `Contact: <sip:bob@${BOB}>` }

/** The report of an answered call; `above` and `below` are Record-Routes of proxies behind us and before us, as on the wire. */
function answered(
  above: readonly string[] = [],
  below: readonly string[] = [],
  contact = CONTACTS.bob,
): policy.ReportRequest {
  bench = new EdgeBench()
  const lines = (values: readonly string[]): string[] => values.map((value) => `Record-Route: ${value}`)
  bench.udpIn(requestText({ headers: [CONTACTS.alice, ...lines(below)] }))
  bench.plan([[`sip:bob@${BOB}`]], {}, REF)
  bench.begin()
  const answer = responseTo(bench.last('INVITE'), 200, 'bob', [contact])
  const withAbove = answer.replace(
    'Record-Route:',
    `${lines(above)
      .map((line) => `${line}\r\n`)
      .join('')}Record-Route:`,
  )
  bench.udpIn(withAbove, BOB)
  const report = bench.policy.take<policy.ReportRequest>('report').request
  bench.take()
  return report
}

const dialogIn = ({ event }: policy.ReportRequest): policy.Dialog | undefined =>
  event?.$case === 'answered' ? event.value.dialog : undefined

function hangUp(report: policy.ReportRequest, changes: Partial<policy.Dialog> = {}): void {
  const value: policy.HangUp = {
    commandId: `${REF}.1`,
    callRef: REF,
    reason: 'SIP;cause=402',
    status: 402,
    transactionKey: '',
    call: report.call,
    dialogs: [{ ...(dialogIn(report) as policy.Dialog), ...changes }],
    attempt: 1,
  }
  bench.policy.push({ event: { $case: 'hangUp', value } })
}

const byes = (): string[] => bench.sent.filter(({ text }) => text.startsWith('BYE')).map(({ text }) => text)

describe('the dialog on record', () => {
  test('[RFC3261-12.1.1] [RFC3261-12.1.2] has the Route sets of both sides, cut at our Record-Route', () => {
    const dialog = dialogIn(answered(['<sip:b2@192.0.2.2;lr>', '<sip:b1@192.0.2.2;lr>'], ['<sip:a1@192.0.2.1;lr>']))
    expect(dialog?.callee).toMatchObject({
      routes: ['<sip:b1@192.0.2.2;lr>', '<sip:b2@192.0.2.2;lr>'],
      target: `sip:bob@${BOB}`,
      cseq: 0,
    })
    expect(dialog?.caller).toMatchObject({ routes: ['<sip:a1@192.0.2.1;lr>'], target: `sip:alice@${ALICE}`, cseq: 1 })
    expect(dialog?.caller?.flow).toMatchObject({ transport: 'udp', address: ALICE, port: 5060, edgeId: '' })
  })

  test.each([
    ['without a Contact', [], 'Subject: none'],
    [
      'that is too large',
      Array.from({ length: 30 }, (_, k) => `<sip:${'x'.repeat(150)}${k}@192.0.2.2;lr>`),
      CONTACTS.bob,
    ],
  ])('is not kept of an answer %s', (_what, above, contact) => {
    expect(dialogIn(answered(above, [], contact))).toBeUndefined()
    expect(bench.core.counts.dialogsUnkept).toBe(1)
  })
})

describe('a request of ours', () => {
  test('[RFC3261-12.2.1.1] goes to the first Route of its side, with the rest behind it', () => {
    hangUp(answered(['<sip:b2@192.0.2.2;lr>', '<sip:b1@192.0.2.12;lr>'], ['<sip:a1@192.0.2.1;lr>']))
    expect(bench.take()).toEqual(['BYE → udp 192.0.2.1:5060', 'BYE → udp 192.0.2.12:5060'])
    const [toAlice, toBob] = byes() as [string, string]
    expect(valuesOf(toAlice, 'Route')).toEqual(['<sip:a1@192.0.2.1;lr>'])
    expect(valuesOf(toBob, 'Route')).toEqual(['<sip:b1@192.0.2.12;lr>', '<sip:b2@192.0.2.2;lr>'])
    expect(toBob.startsWith(`BYE sip:bob@${BOB} SIP/2.0`)).toBe(true)
  })

  test('[RFC3261-12.2.1.1] to a strict router has its URI as Request-URI, and the target last', () => {
    hangUp(answered(['<sip:b1@192.0.2.12>']))
    const toBob = byes()[1] as string
    expect(toBob.startsWith('BYE sip:b1@192.0.2.12 SIP/2.0')).toBe(true)
    expect(valuesOf(toBob, 'Route')).toEqual([`<sip:bob@${BOB}>`])
  })

  test('goes nowhere on the word of a record whose token is not of this dialog', () => {
    hangUp(answered(), { token: 'AQIDBAUGBwgJCgsMDQ4PEBESExQV' })
    expect(byes()).toEqual([])
    expect(bench.core.counts.hangUpsRefused).toBe(1)
  })

  test('[RFC3261-18.4a] to phones of which ICMP says that they are gone ends the call, as silence does', () => {
    hangUp(answered())
    for (const [address, text] of [
      [ALICE, byes()[0] as string],
      [BOB, byes()[1] as string],
    ] as const) {
      const quoted = Buffer.from(text, 'latin1')
      bench.core.unreachables.receive(bench.core, address, 5060, quoted, 0, quoted.length)
    }
    const events = bench.policy.items.map(({ request }) => (request as policy.ReportRequest).event)
    expect(events).toContainEqual(expect.objectContaining({ $case: 'ended' }))
    expect(bench.core.counts.hangUpsRefused).toBe(0)
  })

  test('goes to another binding of the same user when its flow is gone', () => {
    bench = new EdgeBench()
    bench.joined([edgeOf('edge-1.x', '198.51.100.2')], 2n)
    bench.udpIn(requestText({ headers: [CONTACTS.alice] }))
    bench.decide(
      {
        $case: 'plan',
        value: {
          steps: [
            {
              targets: [
                {
                  where: { $case: 'aor', value: 'sip:bob@example.test' },
                  instanceId: '',
                  registrationHash: 0,
                  trusted: false,
                  retarget: undefined,
                  qMilli: 0,
                },
              ],
              ringMs: 0,
              retryStatuses: [],
              forking: 0,
            },
          ],
          edits: [],
          maxDurationS: 0,
          accounting: true,
          stateless: false,
          maxRecursions: 0,
          sourceTrusted: false,
        },
      },
      REF,
    )
    const held = bindingOf(`sip:bob@${BOB}:40000;transport=tcp`, { transport: 'tcp', edgeId: 'edge-1.x', flowId: 9 })
    bench.location.take('locate').answer({ bindings: [held], version: 1n })
    bench.begin()
    const invite = bench.last('INVITE')
    bench.tcpIn(responseTo(invite, 200, 'bob', [CONTACTS.bob]), bench.internalTcp.connections[0] as never, true)
    const report = bench.policy.take<policy.ReportRequest>('report').request
    expect(dialogIn(report)?.callee).toMatchObject({
      aor: 'sip:bob@example.test',
      flow: { edgeId: 'edge-1.x', flowId: 9 },
    })
    bench.joined([], 3n) // that edge has left
    hangUp(report)
    const binding = bindingOf(`sip:bob@${BOB}:5070`, { address: BOB, port: 5070 })
    bench.location.take('locate').answer({ bindings: [bindingOf('sip:other@192.0.2.77'), binding], version: 2n })
    expect(bench.take()).toContain(`BYE → udp ${BOB}:5070`)
  })
})
