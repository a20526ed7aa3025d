// SPDX-License-Identifier: MIT
// REGISTER's extensions at the edge: Path, Service-Route, GRUU, outbound, keep, and contacts that lead nowhere else.
// Does not test: what location stores of them (its own tests), the way of a request to a GRUU (test/conformance).
import type { location } from '@tandem/rpc'
import { parseContacts, parseGruu, registrationHash } from '@tandem/sip'
import { afterEach, describe, expect, it, test } from 'vitest'
import { ALICE, bindingOf, EDGE_ADDRESS, EdgeBench, edgeOf, messageOf, requestText, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const AOR = 'sip:alice@example.test'
const URN = 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6'
const INSTANCE = `+sip.instance="<${URN}>"`
const PROXY_VIA = `Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK-p, SIP/2.0/UDP ${ALICE}:5060;branch=z9hG4bK-a1`
const ADMIT = {
  aor: AOR,
  minExpiresS: 60,
  maxExpiresS: 7200,
  defaultExpiresS: 3600,
  maxContacts: 10,
  replaceOldest: false,
  serviceRoute: false,
}

interface Asked {
  readonly via?: string
  readonly uri?: string
  readonly admit?: Partial<typeof ADMIT>
  readonly settings?: Readonly<Record<string, unknown>>
  readonly cseq?: number
}

/** A REGISTER that policy has admitted. */
function register(headers: readonly string[], { via, uri = 'sip:example.test', admit, settings, cseq }: Asked = {}) {
  bench = new EdgeBench(settings)
  const more = { ...(via === undefined ? {} : { via }), ...(cseq === undefined ? {} : { cseq }) }
  bench.udpIn(requestText({ method: 'REGISTER', uri, headers, ...more }))
  bench.decide({ $case: 'admit', value: { ...ADMIT, ...admit } })
}

const asked = () => bench.location.take<location.RegisterRequest>('register')

/** What came back: status, and why. */
function refusedWith(): string {
  expect(bench.location.waiting()).toEqual([])
  const text = bench.sent.at(-1)?.text ?? ''
  return text.slice(8, text.indexOf('\r\n'))
}

/** The 200 with these bindings. */
function answered(bindings: readonly location.Binding[]): string {
  asked().answer({ bindings, version: 1n })
  return bench.last('200')
}

const phone = (more: Partial<location.Binding> = {}): location.Binding => ({
  ...bindingOf(`sip:a@${ALICE}`),
  callId: 'call-1',
  instanceId: URN,
  registrationHash: registrationHash('call-1', 1),
  params: `;${INSTANCE}`,
  ...more,
})

describe('Path', () => {
  const PATH = ['Path: <sip:p2.example;lr>', 'Path: <sip:p1.example;lr;ob>, <sip:p0.example;lr>']

  test('[RFC3327-5.3a] MUST be kept with the bindings, in order, and no connection with it [RFC5626-6j]', () => {
    register([...PATH, 'Supported: path', `Contact: <sip:a@${ALICE}>`], { via: PROXY_VIA })
    expect(asked().request.contacts[0]).toMatchObject({
      path: ['<sip:p2.example;lr>', '<sip:p1.example;lr;ob>', '<sip:p0.example;lr>'],
      flow: { edgeId: '', flowId: 0 },
    })
  })

  test('[RFC3327-5.3b] MUST be copied into the 200', () => {
    register([...PATH, 'Require: path', `Contact: <sip:a@${ALICE}>`], { via: PROXY_VIA })
    const ok = answered([bindingOf(`sip:a@${ALICE}`)])
    expect(valuesOf(ok, 'Path')).toEqual(['<sip:p2.example;lr>, <sip:p1.example;lr;ob>, <sip:p0.example;lr>'])
  })

  test('[RFC3327-5.3c] SHOULD get 420 from a phone that knows nothing of it', () => {
    register([...PATH, 'Supported: gruu', `Contact: <sip:a@${ALICE}>`], { via: PROXY_VIA })
    expect(refusedWith()).toBe('420 Bad Extension')
    expect(valuesOf(bench.last('420'), 'Unsupported')).toEqual(['path'])
  })

  test('[RFC3327-5.3c] is taken from it all the same where the setting says so', () => {
    const settings = { 'edge.pathUnsupported': 'accept' }
    register([...PATH, `Contact: <sip:a@${ALICE}>`], { via: PROXY_VIA, settings })
    expect(asked().request.contacts[0]?.path).toHaveLength(3)
  })
})

describe('Service-Route', () => {
  test('[RFC3608-5] MUST be a route of ours with lr, of the listener that the phone used [RFC3608-6.3b]', () => {
    register([`Contact: <sip:a@${ALICE}>`], { admit: { serviceRoute: true } })
    expect(valuesOf(answered([]), 'Service-Route')).toEqual([`<sip:${EDGE_ADDRESS}:5060;lr>`])
    const connection = bench.tcp.connect('192.0.2.77', 40_000)
    const via = 'Via: SIP/2.0/TCP 192.0.2.77;branch=z9hG4bK-t'
    bench.tcpIn(requestText({ method: 'REGISTER', via, headers: ['Contact: <sip:a@192.0.2.77>'] }), connection)
    bench.decide({ $case: 'admit', value: { ...ADMIT, serviceRoute: true } })
    expect(valuesOf(answered([]), 'Service-Route')).toEqual([`<sip:${EDGE_ADDRESS}:5060;transport=tcp;lr>`])
  })

  test('[RFC3608-6.3a] SHOULD be the same for a query', () => {
    register([], { admit: { serviceRoute: true } })
    expect(valuesOf(answered([]), 'Service-Route')).toEqual([`<sip:${EDGE_ADDRESS}:5060;lr>`])
  })

  test('is not there where the domain wants none', () => {
    register([`Contact: <sip:a@${ALICE}>`])
    expect(valuesOf(answered([]), 'Service-Route')).toEqual([])
  })
})

describe('GRUU', () => {
  const CONTACT = `Contact: <sip:a@${ALICE}>;${INSTANCE}`

  /** The GRUUs of the first Contact of a 200. */
  function gruusOf(ok: string) {
    const params = parseContacts(messageOf(ok))?.contacts[0]?.params ?? []
    const of = (name: string) => params.filter((param) => param.name === name).map(({ value }) => value)
    return { pub: of('pub-gruu'), temp: of('temp-gruu') }
  }

  const opened = (temp: string) =>
    parseGruu(bench.core.ring, temp.slice(temp.indexOf(':') + 1, temp.indexOf('@')), 'example.test', '')

  test('[RFC5627-5.2a] MUST be in the 200 for a phone that supports it: temp-gruu, and pub-gruu [RFC5627-5.2c] [RFC5627-7]', () => {
    register([CONTACT, 'Supported: path, GRUU'])
    const ok = answered([phone()])
    const { pub, temp } = gruusOf(ok)
    expect(pub).toEqual([`${AOR};gr=${URN}`])
    expect(temp).toHaveLength(1)
    expect(opened(temp[0] ?? '')).toEqual({
      aor: AOR,
      instanceId: URN,
      registrationHash: registrationHash('call-1', 1),
    })
    expect(ok).toContain(`;pub-gruu="${AOR};gr=${URN}";temp-gruu="sip:tgruu.`)
  })

  test('[RFC5627-5.2d] SHOULD NOT be named in Require or Supported of the 200', () => {
    register([CONTACT, 'Require: gruu'])
    const ok = answered([phone()])
    expect(gruusOf(ok).pub).toHaveLength(1)
    expect([...valuesOf(ok, 'Require'), ...valuesOf(ok, 'Supported')]).toEqual([])
  })

  it.each([
    ['a phone that does not support it', [CONTACT], [phone()]],
    ['a Contact without instance', [CONTACT, 'Supported: gruu'], [bindingOf(`sip:a@${ALICE}`)]],
    ['a static one', [CONTACT, 'Supported: gruu'], [{ ...bindingOf('sip:pbx@192.0.2.9'), isStatic: true }]],
  ])('is not there for %s', (_who, headers, bindings) => {
    register(headers)
    expect(gruusOf(answered(bindings))).toEqual({ pub: [], temp: [] })
  })

  test('[RFC5627-5.1h] SHOULD be a new temporary one with each REGISTER, the newest of its instance [RFC5627-5.2b]', () => {
    const temps = [1, 2].map((cseq) => {
      register([CONTACT, 'Supported: gruu'], { cseq })
      // Another flow of the instance was refreshed earlier, but stands first.
      const ok = answered([phone({ qMilli: 1000, cseq: 9, callId: 'other' }), phone({ qMilli: 500, cseq })])
      const [first, second] = (parseContacts(messageOf(ok))?.contacts ?? []).map(
        ({ params }) => params.find(({ name }) => name === 'temp-gruu')?.value ?? '',
      )
      expect(first).toBe(second)
      return first ?? ''
    })
    expect(temps[0]).not.toBe(temps[1])
    expect(opened(temps[0] ?? '')).toEqual(opened(temps[1] ?? ''))
  })

  test('[RFC5627-5.1f] MUST NOT be the phone’s to choose: pub-gruu and temp-gruu of a REGISTER are ignored [RFC5627-5.1k]', () => {
    register([`${CONTACT};pub-gruu="sip:eve@example.test;gr=1";Temp-Gruu="sip:x@example.test;gr"`, 'Supported: gruu'])
    expect(asked().request.contacts[0]?.params).toBe(`;${INSTANCE}`)
  })

  test('[RFC5630-5.2.1] MUST be of sips for a sips Contact', () => {
    register([`Contact: <sips:a@${ALICE}>;${INSTANCE}`, 'Supported: gruu'], { uri: 'sips:example.test' })
    const { pub, temp } = gruusOf(answered([phone({ uri: `sips:a@${ALICE}` })]))
    expect(pub).toEqual([`sips:alice@example.test;gr=${URN}`])
    expect(temp[0]?.startsWith('sips:tgruu.')).toBe(true)
  })

  test('[RFC5627-5.1b] a Contact MUST NOT be a GRUU of the address itself: 403', () => {
    register([CONTACT, 'Supported: gruu'])
    const { temp } = gruusOf(answered([phone()]))
    bench.close()
    register([`Contact: <${temp[0]}>;${INSTANCE}`])
    expect(refusedWith()).toBe('403 Forbidden: Contact is the address-of-record')
    bench.close()
    register([`Contact: <${AOR};gr=${URN}>;${INSTANCE}`])
    expect(refusedWith()).toBe('403 Forbidden: Contact is the address-of-record')
    bench.close()
    register([`Contact: <${temp[0]}>;${INSTANCE}`], { admit: { aor: 'sip:carol@example.test' } })
    expect(asked().request.contacts).toHaveLength(1)
  })
})

describe('a Contact that leads back, or does not fit', () => {
  it.each([
    ['[RFC5627-5.1a] the address-of-record', `<${AOR}>;${INSTANCE}`, '403 Forbidden: Contact is the address-of-record'],
    ['the same with an escape', '<sip:%61lice@Example.test>', '403 Forbidden: Contact is the address-of-record'],
    ['the same as sips', '<sips:alice@example.test>', '403 Forbidden: Contact is the address-of-record'],
    ['the address as To names it', '<sip:bob@example.test>', '403 Forbidden: Contact is the address-of-record'],
    ['this edge', `<sip:${EDGE_ADDRESS}:5060>`, '403 Forbidden: Contact is this server'],
    ['this edge by default port', `<sip:x@${EDGE_ADDRESS}>`, '403 Forbidden: Contact is this server'],
    ['another edge', '<sip:x@198.51.100.2:5060;transport=tcp>', '403 Forbidden: Contact is this server'],
    [
      '[RFC5627-5.1c] an instance that is no SIP URI',
      `<tel:+4930123>;${INSTANCE}`,
      '403 Forbidden: an instance needs a SIP Contact',
    ],
  ])('%s: 403', (_name, contact, status) => {
    bench = new EdgeBench()
    bench.joined([edgeOf('edge-1.test', '198.51.100.2')], 2n)
    bench.udpIn(requestText({ method: 'REGISTER', uri: 'sip:example.test', headers: [`Contact: ${contact}`] }))
    bench.decide({ $case: 'admit', value: ADMIT })
    expect(refusedWith()).toBe(status)
    expect(bench.core.counts.registrationsFailed).toBe(1)
  })

  it.each([
    ['the address-of-record, to be removed', `<${AOR}>;expires=0`],
    ['this edge’s address at another port: a phone beside it', `<sip:x@${EDGE_ADDRESS}:5070>`],
    ['another user of the domain', '<sip:carol@example.test>'],
    ['[RFC3261-10.3.7f] any other scheme', '<mailto:alice@example.org>'],
    ['a telephone', '<tel:+4930123>'],
    ['a page', '<https://example.org/alice?x=1>'],
  ])('%s: taken', (_name, contact) => {
    register([`Contact: ${contact}`])
    expect(asked().request.contacts.map(({ uri }) => `<${uri}>`)).toEqual([contact.replace(/;expires=0$/, '')])
  })

  it.each([
    ['[RFC5630-5.2] sips with a Request-URI of sip', 'sip:example.test', [`Contact: <sips:a@${ALICE}>`], '400'],
    [
      '[RFC5630-5.2] sips with a Path of sip',
      'sips:example.test',
      ['Path: <sip:p;lr>', 'Supported: path', `Contact: <sips:a@${ALICE}>`],
      '400',
    ],
    [
      '[RFC5630-5.2] sips all the way',
      'sips:example.test',
      ['Path: <sips:p;lr>', 'Supported: path', `Contact: <sips:a@${ALICE}>`],
      '',
    ],
    ['sip with a Request-URI of sips', 'sips:example.test', [`Contact: <sip:a@${ALICE}>`], ''],
  ])('%s', (_name, uri, headers, status) => {
    register(headers, { uri })
    if (status === '') expect(asked().request.contacts).toHaveLength(1)
    else expect(refusedWith().slice(0, 3)).toBe(status)
  })

  it.each([
    ['sip', [`Contact: <sip:a@${ALICE}>`], '400 Bad Request: a sips address needs a sips Contact'],
    ['sips', [`Contact: <sips:a@${ALICE}>`], ''],
    ['mailto', ['Contact: <mailto:a@example.org>'], ''],
  ])('[RFC3261-10.2.1] an address-of-record of sips SHOULD bind sips, not sip: %s', (_scheme, headers, status) => {
    bench = new EdgeBench()
    const text = requestText({ method: 'REGISTER', uri: 'sips:example.test', headers })
    bench.udpIn(text.replace('To: <sip:bob@', 'To: <sips:bob@'))
    bench.decide({ $case: 'admit', value: ADMIT })
    if (status === '') expect(asked().request.contacts).toHaveLength(1)
    else expect(refusedWith()).toBe(status)
  })
})

describe('outbound', () => {
  const FLOW = `Contact: <sip:a@${ALICE}>;reg-id=1;${INSTANCE}`
  const SUPPORTED = 'Supported: path, outbound'
  const OB = 'Path: <sip:edge.example;lr;ob>'

  test('[RFC5626-6k] MUST be required in the 200 where the phone supports it and comes directly [RFC5626-6b]', () => {
    register([FLOW, SUPPORTED])
    const item = asked()
    expect(item.request.contacts[0]).toMatchObject({ regId: 1, instanceId: URN, flow: { address: ALICE, port: 5060 } })
    item.answer({ bindings: [phone({ regId: 1 })], version: 1n })
    expect(valuesOf(bench.last('200'), 'Require')).toEqual(['outbound'])
  })

  it.each([
    ['its first hop says ob', [OB]],
    [
      'its first hop says ob, and a proxy behind it does not',
      ['Path: <sip:core.example;lr>, <sip:edge.example;lr;ob>'],
    ],
  ])('[RFC5626-6a] is taken through a proxy where %s', (_name, path) => {
    register([FLOW, SUPPORTED, ...path], { via: PROXY_VIA, settings: { 'edge.keepAliveMs': 60_000 } })
    const ok = answered([phone({ regId: 1 })])
    expect([valuesOf(ok, 'Require'), valuesOf(ok, 'Flow-Timer')]).toEqual([['outbound'], []])
  })

  it.each([
    ['no Path', []],
    ['a Path without ob', ['Path: <sip:edge.example;lr>']],
    ['ob of a proxy behind the first hop', ['Path: <sip:core.example;lr;ob>, <sip:edge.example;lr>']],
  ])('[RFC5626-6e] MUST get 439 through a proxy with %s [RFC5626-6c] [RFC5626-6d]', (_name, path) => {
    register([FLOW, SUPPORTED, ...path], { via: PROXY_VIA })
    expect(refusedWith()).toBe('439 First Hop Lacks Outbound Support')
  })

  test('[RFC5626-6f] reg-id MUST be ignored there from a phone that does not support it [RFC5626-6h]', () => {
    register([FLOW, 'Supported: path', 'Path: <sip:edge.example;lr>'], { via: PROXY_VIA })
    const item = asked()
    expect(item.request.contacts[0]).toMatchObject({ regId: 0, instanceId: URN })
    item.answer({ bindings: [phone()], version: 1n })
    expect(valuesOf(bench.last('200'), 'Require')).toEqual([])
  })

  it.each([
    ['without reg-id', `Contact: <sip:a@${ALICE}>;${INSTANCE}`],
    ['with a reg-id and no instance', `Contact: <sip:a@${ALICE}>;reg-id=1`],
    ['[RFC5626-10] with reg-id 0', `Contact: <sip:a@${ALICE}>;reg-id=0;${INSTANCE}`],
    ['[RFC5626-10] with a reg-id of 2^31', `Contact: <sip:a@${ALICE}>;reg-id=2147483648;${INSTANCE}`],
  ])('[RFC5626-6h] MUST NOT be required in the 200 to a Contact %s', (_name, contact) => {
    register([contact, SUPPORTED])
    const item = asked()
    expect(item.request.contacts[0]?.regId).toBe(0)
    item.answer({ bindings: [], version: 1n })
    expect(valuesOf(bench.last('200'), 'Require')).toEqual([])
  })

  test('[RFC5626-11.4b] MUST NOT be 439 without reg-id', () => {
    register([`Contact: <sip:a@${ALICE}>;${INSTANCE}`, SUPPORTED], { via: PROXY_VIA })
    expect(asked().request.contacts).toHaveLength(1)
  })

  it.each([
    ['two Contacts that stay', [FLOW, 'Contact: <sip:b@192.0.2.9>'], '400 Bad Request: reg-id beside another Contact'],
    ['one that stays and one that goes', [FLOW, 'Contact: <sip:b@192.0.2.9>;expires=0'], ''],
    ['one that goes by Expires', [FLOW, 'Contact: <sip:b@192.0.2.9>', 'Expires: 0'], ''],
    ['two without reg-id', [`Contact: <sip:a@${ALICE}>`, 'Contact: <sip:b@192.0.2.9>'], ''],
  ])('[RFC5626-6g] SHOULD register one flow alone: %s', (_name, headers, status) => {
    register(headers)
    if (status === '') expect(asked().request.contacts).toHaveLength(2)
    else expect(refusedWith()).toBe(status)
  })
})

describe('keep-alives', () => {
  const FLOW = [`Contact: <sip:a@${ALICE}>;reg-id=1;${INSTANCE}`, 'Supported: outbound']
  const via = (params: string) => `Via: SIP/2.0/UDP ${ALICE}:5060;branch=z9hG4bK-a1${params}`
  const okTo = (params: string, settings = {}) => {
    register(FLOW, { via: via(params), settings })
    return answered([phone()])
  }

  it.each([
    [';keep', ';keep=0'],
    [';keep;rport', ';keep=0;rport=5060;received=192.0.2.20'],
    [';rport;KEEP', ';rport=5060;KEEP=0;received=192.0.2.20'],
  ])('[RFC6223-4.4a] MUST be agreed in the 200 to a Via with %s', (params, expected) => {
    expect(valuesOf(okTo(params), 'Via')).toEqual([via(expected).slice('Via: '.length)])
  })

  it.each(['', ';keep=7', ';keeper', ';x=keep'])('[RFC6223-4.2.2a] are not, to a Via with %j', (params) => {
    expect(valuesOf(okTo(params), 'Via')).toEqual([via(params).slice('Via: '.length)])
  })

  test('[RFC6223-5] MUST be as often in keep as in Flow-Timer, as the setting says', () => {
    const ok = okTo(';keep', { 'edge.keepAliveMs': 25_000 })
    expect(valuesOf(ok, 'Flow-Timer')).toEqual(['25'])
    expect(valuesOf(ok, 'Via')[0]).toContain(';keep=25')
  })

  test('have no Flow-Timer without outbound', () => {
    register([`Contact: <sip:a@${ALICE}>`], { via: via(';keep'), settings: { 'edge.keepAliveMs': 25_000 } })
    const ok = answered([])
    expect(valuesOf(ok, 'Flow-Timer')).toEqual([])
    expect(valuesOf(ok, 'Via')[0]).toContain(';keep=25')
  })

  test('are not agreed by a refusal', () => {
    register([...FLOW, 'Contact: <sip:b@192.0.2.9>'], { via: via(';keep') })
    expect(valuesOf(bench.last('400'), 'Via')[0]).toMatch(/;keep$/)
  })
})

test('[RFC3261-10.3c] MUST NOT answer with a Record-Route, whatever the REGISTER has [RFC3261-10.3b]', () => {
  register(['Record-Route: <sip:p.example;lr>', `Contact: <sip:a@${ALICE}>`])
  expect(valuesOf(answered([]), 'Record-Route')).toEqual([])
})

test('[RFC3261-10.3.8c] SHOULD answer with a Date in GMT', () => {
  register([`Contact: <sip:a@${ALICE}>`])
  expect(valuesOf(answered([]), 'Date')[0]).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
})

test('[RFC3840-9] feature parameters pass through the registrar as they came', () => {
  const features = ';audio;+sip.message="TRUE";methods="INVITE, BYE";mobility="!fixed";+vnd.x="#=5"'
  register([`Contact: <sip:a@${ALICE}>${features}`])
  const { params } = asked().request.contacts[0] ?? { params: '' }
  expect(params.replaceAll('"', '')).toBe(features.replaceAll('"', ''))
})
