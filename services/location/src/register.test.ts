// SPDX-License-Identifier: MIT
//
// RFC 3261 §10.3, steps 6 to 8, on the embedded store. Not tested here: Redis (the store's contract suite), equality of
// URIs (contact-identity.test.ts), what an edge makes of the results.
import { describe, expect, it } from 'vitest'
import { AOR, createBench, locate, register } from './testing.ts'

const P1 = 'sip:alice@192.0.2.1:5060'
const P2 = 'sip:alice@192.0.2.2:5060'

type Contact = { uri: string; expiresS?: number; qMilli?: number; instanceId?: string; regId?: number }
type Step = {
  callId?: string
  cseq?: number
  removeAll?: boolean
  contacts?: Contact[]
  minExpiresS?: number
  maxExpiresS?: number
  defaultExpiresS?: number
  maxContacts?: number
}

interface Row {
  cite: string
  does: string
  before?: Step[]
  step: Step
  /** uri → seconds. */
  bindings?: Record<string, number>
  refused?: { code: string; sipStatus: number; minExpiresS?: number }
}

const ROWS: Row[] = [
  { cite: '10.3.6', does: 'a query without contacts returns nothing of nothing', step: {}, bindings: {} },
  {
    cite: '10.3.6',
    does: 'a query returns all bindings, whatever its CSeq',
    before: [{ cseq: 5, contacts: [{ uri: P1 }, { uri: P2, expiresS: 60 }] }],
    step: { cseq: 1 },
    bindings: { [P1]: 3600, [P2]: 60 },
  },
  {
    cite: '10.3.6',
    does: '* removes all bindings of another Call-ID',
    before: [{ cseq: 9, contacts: [{ uri: P1 }, { uri: P2 }] }],
    step: { callId: 'call-2', cseq: 1, removeAll: true },
    bindings: {},
  },
  {
    cite: '10.3.6',
    does: '* of the same Call-ID and a higher CSeq removes',
    before: [{ cseq: 1, contacts: [{ uri: P1 }] }],
    step: { cseq: 2, removeAll: true },
    bindings: {},
  },
  {
    cite: '10.3.6',
    does: '* of the same Call-ID and no higher CSeq is aborted',
    before: [{ cseq: 2, contacts: [{ uri: P1 }] }],
    step: { cseq: 1, removeAll: true },
    refused: { code: 'out_of_order', sipStatus: 500 },
  },
  {
    cite: '10.3.6',
    does: '* as a contact with Expires 0 is the same',
    before: [{ contacts: [{ uri: P1 }] }],
    step: { cseq: 2, contacts: [{ uri: '*', expiresS: 0 }] },
    bindings: {},
  },
  {
    cite: '10.3.6',
    does: '* with another expiration is invalid',
    step: { contacts: [{ uri: '*', expiresS: 60 }] },
    refused: { code: 'star_not_alone', sipStatus: 400 },
  },
  {
    cite: '10.3.6',
    does: '* without an expiration is invalid',
    step: { contacts: [{ uri: '*' }] },
    refused: { code: 'star_not_alone', sipStatus: 400 },
  },
  {
    cite: '10.3.6',
    does: '* beside a contact is invalid',
    step: { contacts: [{ uri: '*', expiresS: 0 }, { uri: P1 }] },
    refused: { code: 'star_not_alone', sipStatus: 400 },
  },
  {
    cite: '10.3.6',
    does: 'remove_all beside a contact is invalid',
    step: { removeAll: true, contacts: [{ uri: P1 }] },
    refused: { code: 'star_not_alone', sipStatus: 400 },
  },
  {
    cite: '10.3.7',
    does: 'the interval asked for',
    step: { contacts: [{ uri: P1, expiresS: 600 }] },
    bindings: { [P1]: 600 },
  },
  {
    cite: '10.3.7',
    does: 'the default where none is asked for',
    step: { contacts: [{ uri: P1 }] },
    bindings: { [P1]: 3600 },
  },
  {
    cite: '10.3.7',
    does: "the domain's default",
    step: { defaultExpiresS: 900, contacts: [{ uri: P1 }] },
    bindings: { [P1]: 900 },
  },
  {
    cite: '10.3.7',
    does: 'a longer interval is cut to the maximum',
    step: { contacts: [{ uri: P1, expiresS: 4_294_967_295 }] },
    bindings: { [P1]: 7200 },
  },
  {
    cite: '10.3.7',
    does: "a longer interval is cut to the domain's maximum",
    step: { maxExpiresS: 300, contacts: [{ uri: P1, expiresS: 3600 }, { uri: P2 }] },
    bindings: { [P1]: 300, [P2]: 300 },
  },
  {
    cite: '10.3.7',
    does: 'below the minimum: 423 with Min-Expires',
    step: { contacts: [{ uri: P1, expiresS: 59 }] },
    refused: { code: 'expires_too_brief', sipStatus: 423, minExpiresS: 60 },
  },
  {
    cite: '10.3.7',
    does: "below the domain's minimum: 423 with that",
    step: { minExpiresS: 120, contacts: [{ uri: P1, expiresS: 119 }] },
    refused: { code: 'expires_too_brief', sipStatus: 423, minExpiresS: 120 },
  },
  {
    cite: '10.3.7',
    does: 'the minimum itself',
    step: { contacts: [{ uri: P1, expiresS: 60 }] },
    bindings: { [P1]: 60 },
  },
  {
    cite: '10.3.7',
    does: 'an hour and more is never too brief',
    step: { minExpiresS: 5000, contacts: [{ uri: P1, expiresS: 3600 }] },
    bindings: { [P1]: 3600 },
  },
  {
    cite: '10.3.7',
    does: 'zero removes, and is never too brief',
    before: [{ contacts: [{ uri: P1 }, { uri: P2 }] }],
    step: { cseq: 2, contacts: [{ uri: P1, expiresS: 0 }] },
    bindings: { [P2]: 3600 },
  },
  {
    cite: '10.3.7',
    does: 'removing what is not there is no error',
    step: { contacts: [{ uri: P1, expiresS: 0 }] },
    bindings: {},
  },
  {
    cite: '10.3.7',
    does: 'a brief contact beside a good one changes nothing',
    before: [{ contacts: [{ uri: P1, expiresS: 600 }] }],
    step: { cseq: 2, contacts: [{ uri: P2 }, { uri: P1, expiresS: 5 }] },
    refused: { code: 'expires_too_brief', sipStatus: 423, minExpiresS: 60 },
  },
  {
    cite: '10.3.7',
    does: 'a refresh of the same Call-ID and a higher CSeq',
    before: [{ cseq: 1, contacts: [{ uri: P1, expiresS: 100 }] }],
    step: { cseq: 2, contacts: [{ uri: P1, expiresS: 200 }] },
    bindings: { [P1]: 200 },
  },
  {
    cite: '10.3.7',
    does: 'an update of another Call-ID, whatever its CSeq',
    before: [{ cseq: 100, contacts: [{ uri: P1, expiresS: 100 }] }],
    step: { callId: 'call-2', cseq: 1, contacts: [{ uri: P1, expiresS: 200 }] },
    bindings: { [P1]: 200 },
  },
  {
    cite: '10.3.7',
    does: 'the same Call-ID and a lower CSeq: aborted as a whole',
    before: [{ cseq: 5, contacts: [{ uri: P1, expiresS: 100 }] }],
    step: { cseq: 4, contacts: [{ uri: P2 }, { uri: P1, expiresS: 0 }] },
    refused: { code: 'out_of_order', sipStatus: 500 },
  },
  {
    cite: '10.3.7',
    does: 'the same CSeq with other content: aborted',
    before: [{ cseq: 5, contacts: [{ uri: P1, expiresS: 100 }] }],
    step: { cseq: 5, contacts: [{ uri: P1, expiresS: 0 }] },
    refused: { code: 'out_of_order', sipStatus: 500 },
  },
  {
    cite: '10.3.7',
    does: 'the same request again (retransmission through another edge)',
    before: [{ cseq: 5, contacts: [{ uri: P1, expiresS: 100 }] }],
    step: { cseq: 5, contacts: [{ uri: P1, expiresS: 100 }] },
    bindings: { [P1]: 100 },
  },
  {
    cite: '19.1.4',
    does: 'a contact written differently is the same binding',
    before: [{ contacts: [{ uri: 'sip:%61lice@HOST.example;Transport=TCP' }] }],
    step: { cseq: 2, contacts: [{ uri: 'sip:alice@host.example;transport=tcp', expiresS: 0 }] },
    bindings: {},
  },
  {
    cite: '19.1.4',
    does: 'a parameter that only the old contact has is passed over',
    before: [{ contacts: [{ uri: `${P1};ob` }] }],
    step: { cseq: 2, contacts: [{ uri: P1, expiresS: 60 }] },
    bindings: { [P1]: 60 },
  },
  {
    cite: '19.1.4',
    does: 'a parameter that only the new contact has is passed over, for a removal too',
    before: [{ contacts: [{ uri: P1 }, { uri: P2 }] }],
    step: { cseq: 2, contacts: [{ uri: `${P1};ob`, expiresS: 0 }] },
    bindings: { [P2]: 3600 },
  },
  {
    cite: '19.1.4',
    does: 'a parameter that both have tells them apart',
    before: [{ contacts: [{ uri: `${P1};line=a` }] }],
    step: { cseq: 2, contacts: [{ uri: `${P1};line=b` }] },
    bindings: { [`${P1};line=a`]: 3600, [`${P1};line=b`]: 3600 },
  },
  {
    cite: '19.1.4',
    does: 'of equal contacts in one request the last counts',
    step: {
      contacts: [
        { uri: P1, expiresS: 100 },
        { uri: `${P1};ob`, expiresS: 200 },
      ],
    },
    bindings: { [`${P1};ob`]: 200 },
  },
  {
    cite: 'RFC5626-6',
    does: 'the flow of an instance is replaced, whatever its address',
    before: [{ contacts: [{ uri: P1, instanceId: '<urn:uuid:1>', regId: 1 }] }],
    step: { callId: 'call-2', contacts: [{ uri: P2, instanceId: '<urn:uuid:1>', regId: 1 }] },
    bindings: { [P2]: 3600 },
  },
  {
    cite: '10.3',
    does: 'too many contacts: nothing is changed',
    before: [{ contacts: [{ uri: P1 }] }],
    step: { cseq: 2, maxContacts: 1, contacts: [{ uri: P2 }] },
    refused: { code: 'too_many_contacts', sipStatus: 403 },
  },
  {
    cite: '10.3',
    does: 'a refresh at the bound of contacts',
    before: [{ contacts: [{ uri: P1 }, { uri: P2 }] }],
    step: { cseq: 2, maxContacts: 2, contacts: [{ uri: P2, expiresS: 60 }] },
    bindings: { [P1]: 3600, [P2]: 60 },
  },
  {
    cite: '10.3',
    does: 'a contact that is no URI',
    step: { contacts: [{ uri: 'sip:@' }] },
    refused: { code: 'bad_contact', sipStatus: 400 },
  },
  {
    cite: '10.3',
    does: 'a contact that is no SIP URI is kept',
    step: { contacts: [{ uri: 'tel:+12015550123' }] },
    bindings: { 'tel:+12015550123': 3600 },
  },
]

describe('register', () => {
  it.each(ROWS)('[$cite] $does', async ({ before = [], step, bindings, refused }) => {
    const bench = createBench()
    for (const earlier of before) expect((await register(bench, earlier)).outcome).toBe('done')
    const standing = await locate(bench)
    const result = await register(bench, step)
    if (refused) {
      expect(result).toMatchObject({ outcome: 'refused', refusal: refused })
      expect(await locate(bench)).toEqual(standing)
      expect(bench.service.counts.refused).toBe(1)
    } else {
      expect(result.outcome).toBe('done')
      const value = result.outcome === 'done' ? result.value : undefined
      expect(Object.fromEntries(value?.bindings.map(({ uri, expiresS }) => [uri, expiresS]) ?? [])).toEqual(bindings)
      expect((await locate(bench)).sort()).toEqual(Object.keys(bindings ?? {}).sort())
    }
  })

  it('[10.3.8] every binding with what is left of it, until it ran out', async () => {
    const bench = createBench()
    await register(bench, { contacts: [{ uri: P1, expiresS: 100, qMilli: 500 }] })
    bench.advance(30_000)
    const later = await register(bench, { callId: 'call-2', contacts: [{ uri: P2, expiresS: 60 }] })
    expect(later).toMatchObject({
      value: {
        bindings: [
          { uri: P2, expiresS: 60, qMilli: 1_000 },
          { uri: P1, expiresS: 70, qMilli: 500 },
        ],
      },
    })
    bench.advance(60_000)
    expect(await locate(bench)).toEqual([P1])
    bench.advance(10_000)
    expect(await locate(bench)).toEqual([])
  })

  it('[10.3.8] a retransmission returns the bindings as they are now', async () => {
    const bench = createBench()
    const step = { cseq: 7, contacts: [{ uri: P1, expiresS: 100 }] }
    await register(bench, step)
    bench.advance(5_000)
    expect(await register(bench, step)).toMatchObject({ value: { bindings: [{ uri: P1, expiresS: 95 }] } })
  })

  it('keeps what a binding needs to be reached: flow, path, parameters, instance, user agent', async () => {
    const bench = createBench()
    const flow = { transport: 'udp', address: '198.51.100.7', port: 40_000, edgeId: '', flowId: 0 }
    const contact = {
      uri: P1,
      flow,
      path: ['<sip:p1;lr>', '<sip:p2;lr>'],
      params: ';methods="INVITE"',
      instanceId: '<urn:uuid:1>',
    }
    await register(bench, { userAgent: 'phone/1', cseq: 3, contacts: [contact] })
    const found = await bench.service.handlers.locate({ aor: AOR }, { msLeft: 1, peer: '' })
    expect(found).toMatchObject({
      value: { bindings: [{ ...contact, userAgent: 'phone/1', cseq: 3, callId: 'call-1' }] },
    })
  })

  it('[10.2.4] q decides the order; above 1 counts as 1', async () => {
    const bench = createBench()
    const contacts = [
      { uri: P1, qMilli: 300 },
      { uri: P2, qMilli: 70_000 },
    ]
    const result = await register(bench, { contacts })
    expect(result).toMatchObject({
      value: {
        bindings: [
          { uri: P2, qMilli: 1_000 },
          { uri: P1, qMilli: 300 },
        ],
      },
    })
  })

  it('tells a sender that forgot the address-of-record or the Call-ID', async () => {
    const bench = createBench()
    expect(await register(bench, { aor: '' })).toMatchObject({ refusal: { code: 'bad_request', sipStatus: 500 } })
    expect(await register(bench, { callId: '' })).toMatchObject({ refusal: { code: 'bad_request', sipStatus: 500 } })
  })
})
