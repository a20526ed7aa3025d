// SPDX-License-Identifier: MIT
// REGISTER between phone and location: what is asked for, and what each outcome is answered with (RFC 3261 section 10.3).
// Does not test: what location does with it, authentication.
import { type location, refused, unknown } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, bindingOf, EdgeBench, requestText, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const ADMIT = {
  $case: 'admit',
  value: {
    aor: 'sip:alice@example.test',
    minExpiresS: 60,
    maxExpiresS: 7200,
    defaultExpiresS: 3600,
    maxContacts: 10,
    replaceOldest: false,
    serviceRoute: false,
  },
} as const

const registered = (...headers: string[]) => {
  bench = new EdgeBench()
  bench.udpIn(requestText({ method: 'REGISTER', uri: 'sip:example.test', headers }))
  bench.decide(ADMIT)
  return bench.location.take<location.RegisterRequest>('register')
}

describe('what location is asked', () => {
  interface Row {
    name: string
    cite: string
    headers: string[]
    expected: Partial<location.ContactUpdate>[]
  }
  const ROWS: Row[] = [
    {
      name: 'expires of the Contact before that of the header',
      cite: 'RFC3261-10.3.7',
      headers: ['Contact: <sip:a@192.0.2.20>;expires=100', 'Expires: 200'],
      expected: [{ expiresS: 100 }],
    },
    {
      name: 'else that of the header',
      cite: 'RFC3261-10.3.7',
      headers: ['Contact: <sip:a@192.0.2.20>', 'Expires: 200'],
      expected: [{ expiresS: 200 }],
    },
    {
      name: 'neither: the registrar’s to say',
      cite: 'RFC3261-10.3.7',
      headers: ['Contact: <sip:a@192.0.2.20>'],
      expected: [{ expiresS: undefined }],
    },
    {
      name: 'a malformed one counts as an hour',
      cite: 'RFC3261-10.2b',
      headers: ['Contact: <sip:a@192.0.2.20>', 'Expires: soon'],
      expected: [{ expiresS: 3600 }],
    },
    {
      name: 'zero removes',
      cite: 'RFC3261-10.2.2',
      headers: ['Contact: <sip:a@192.0.2.20>;expires=0'],
      expected: [{ expiresS: 0 }],
    },
    {
      name: 'several contacts, q in thousandths, other parameters kept',
      cite: 'RFC3261-10.3.7',
      headers: [
        'Contact: <sip:a@192.0.2.20>;q=0.5;foo=bar;expires=60, "A" <sip:a@192.0.2.21;transport=tcp>;Q=1.0;audio',
      ],
      expected: [
        { uri: 'sip:a@192.0.2.20', qMilli: 500, params: ';foo=bar' },
        { uri: 'sip:a@192.0.2.21;transport=tcp', qMilli: 1000, params: ';audio' },
      ],
    },
    {
      name: 'instance and reg-id',
      cite: 'RFC5626-4.1',
      headers: ['Contact: <sip:a@192.0.2.20>;+sip.instance="<urn:uuid:1>";reg-id=2'],
      expected: [{ instanceId: 'urn:uuid:1', regId: 2 }],
    },
    {
      name: 'the Path',
      cite: 'RFC3327-5.3',
      headers: ['Path: <sip:p;lr>', 'Supported: path', 'Contact: <sip:a@b>'],
      expected: [{ path: ['<sip:p;lr>'] }],
    },
    { name: 'none: a query', cite: 'RFC3261-10.2.3', headers: [], expected: [] },
  ]

  test.each(ROWS)('$name [$cite]', ({ headers, expected }) => {
    const { request } = registered(...headers)
    expect(request).toMatchObject({ aor: 'sip:alice@example.test', callId: 'call-1', cseq: 1, removeAll: false })
    expect(request.contacts).toHaveLength(expected.length)
    expect(request.contacts).toMatchObject(expected)
  })

  test('the flow: any edge over UDP, this edge’s connection over TCP [RFC5626-5.1b] [RFC5626-6l]', () => {
    const { request } = registered('Contact: <sip:a@192.0.2.20>')
    expect(request.contacts[0]?.flow).toEqual({ transport: 'udp', address: ALICE, port: 5060, edgeId: '', flowId: 0 })
    const connection = bench.tcp.connect('192.0.2.77', 40_000)
    const via = 'Via: SIP/2.0/TCP 192.0.2.77;branch=z9hG4bK-t'
    bench.tcpIn(requestText({ method: 'REGISTER', via, headers: ['Contact: <sip:a@192.0.2.77>'] }), connection)
    bench.decide(ADMIT)
    const overTcp = bench.location.take<location.RegisterRequest>('register').request.contacts[0]?.flow
    expect(overTcp).toEqual({ transport: 'tcp', address: '192.0.2.77', port: 40_000, edgeId: 'edge-0.test', flowId: 1 })
  })

  test('* with Expires 0 removes all [RFC3261-10.3.6]', () => {
    expect(registered('Contact: *', 'Expires: 0').request).toMatchObject({ removeAll: true, contacts: [] })
  })
})

describe('what is refused without asking: 400', () => {
  test.each([
    ['* without Expires', ['Contact: *']],
    ['* with another Expires', ['Contact: *', 'Expires: 1']],
    ['* with company', ['Contact: *, <sip:a@b>', 'Expires: 0']],
    ['a Contact that can not be read', ['Contact: <sip:a@b']],
  ])('%s [RFC3261-10.3.6]', (_name, headers) => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'REGISTER', headers }))
    bench.decide(ADMIT)
    expect(bench.take()).toEqual([`400 → udp ${ALICE}:5060`])
    expect(bench.location.waiting()).toEqual([])
  })
})

describe('an extension that must be understood: 420', () => {
  test('MUST name what is not supported, and bind nothing [RFC3261-10.3.2]', () => {
    bench = new EdgeBench()
    const headers = ['Require: path, gruu', 'Require: x', 'Contact: <sip:a@b>']
    bench.udpIn(requestText({ method: 'REGISTER', headers }))
    bench.decide(ADMIT)
    expect(valuesOf(bench.last('420'), 'Unsupported')).toEqual(['x'])
    expect(bench.location.waiting()).toEqual([])
    expect(bench.core.counts.refusedExtension).toBe(1)
  })

  test('an empty Require asks for nothing', () => {
    expect(registered('Require:', 'Contact: <sip:a@b>').request.contacts).toHaveLength(1)
  })
})

describe('what the phone is told', () => {
  test('MUST get 200 with all bindings and what each has left, once they are stored [RFC3261-10.3.8]', () => {
    const item = registered('Contact: <sip:a@192.0.2.20>')
    expect(bench.take()).toEqual([])
    const other = { ...bindingOf('sip:a@192.0.2.21'), qMilli: 250, params: ';foo=bar', expiresS: 7 }
    item.answer({ bindings: [bindingOf('sip:a@192.0.2.20'), other], version: 1n })
    expect(valuesOf(bench.last('200'), 'Contact')).toEqual([
      '<sip:a@192.0.2.20>;expires=60',
      '<sip:a@192.0.2.21>;expires=7;q=0.25;foo=bar',
    ])
    expect(bench.core.counts.registrations).toBe(1)
  })

  test('MUST get 423 with Min-Expires where it asks for too little [RFC3261-10.3.7]', () => {
    const item = registered('Contact: <sip:a@b>;expires=5')
    item.end(refused('brief', 423, '', { minExpiresS: 60 }))
    expect(valuesOf(bench.last('423'), 'Min-Expires')).toEqual(['60'])
  })

  test.each([
    ['the store is away', refused('away', 503, '', { retryAfterS: 3 }), '503', ['5']],
    ['nobody knows whether it is stored', unknown('timeout'), '503', ['7']],
    ['a refusal without a status', refused('x', 0, ''), '500', []],
  ])('never a 200 where %s', (_name, result, status, retryAfter) => {
    registered('Contact: <sip:a@b>').end(result)
    expect(valuesOf(bench.last(status), 'Retry-After')).toEqual(retryAfter)
    expect(bench.core.counts.registrationsFailed).toBe(1)
  })

  test('a repetition while it waits is absorbed, afterwards it gets the same answer [RFC3261-17.2.2hl]', () => {
    const item = registered('Contact: <sip:a@b>')
    const again = requestText({ method: 'REGISTER', uri: 'sip:example.test', headers: ['Contact: <sip:a@b>'] })
    bench.udpIn(again)
    expect(bench.policy.waiting()).toEqual([])
    item.answer({ bindings: [], version: 1n })
    bench.udpIn(again)
    expect(bench.take()).toEqual(Array(2).fill(`200 → udp ${ALICE}:5060`))
  })
})
