// SPDX-License-Identifier: MIT
// Where responses go when the plain way is closed: a connection that is gone, a maddr, an address that is written another way.
// Does not test: the pure choice (packages/transport).
import { afterEach, describe, expect, test } from 'vitest'
import { Facing } from '../listeners/facing.ts'
import { isMulticast } from '../listeners/multicast.ts'
import { ALICE, BOB, EDGE_ADDRESS, EdgeBench, namesOf, requestText, responseTo } from '../testing.ts'
import { pathWay } from './path-way.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const BOB_URI = `sip:bob@${BOB}`
const settle = async (): Promise<void> => {
  for (let k = 0; k < 5; k += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('a response whose connection is gone', () => {
  const overTcp = (sentBy: string): void => {
    bench = new EdgeBench({}, 'edge-0.test', namesOf({ 'alice.test': ['192.0.2.77'] }))
    const connection = bench.tcp.connect(ALICE, 50_000)
    bench.tcpIn(requestText({ method: 'MESSAGE', via: `Via: SIP/2.0/TCP ${sentBy};branch=z9hG4bK-t` }), connection)
    bench.plan([[BOB_URI]])
    connection.close()
    bench.take()
    bench.udpIn(responseTo(bench.last('MESSAGE'), 200), BOB)
  }

  test('SHOULD go over a new one, to received and the port of the sent-by [RFC3261-18.2.2b]', () => {
    overTcp('alice.test:5070')
    expect(bench.take()).toEqual(['200 → tcp 2'])
    expect(bench.tcp.find(2)).toMatchObject({ remoteAddress: ALICE, remotePort: 5070 })
  })

  test('SHOULD go to where the name of the sent-by leads, when that one can not be opened [RFC3261-18.2.2c]', async () => {
    overTcp('alice.test:5070')
    const failed = bench.tcp.find(2)
    failed?.close()
    bench.core.hops.onLost(failed?.context as never, true)
    await settle()
    expect(bench.tcp.find(3)).toMatchObject({ remoteAddress: '192.0.2.77', remotePort: 5070 })
    expect(bench.take()).toEqual(['200 → tcp 2', '200 → tcp 3'])
  })
})

describe('maddr in a Via', () => {
  const answered = (settings: Record<string, unknown>, maddr: string): string[] => {
    bench = new EdgeBench(settings)
    const via = `Via: SIP/2.0/UDP ${ALICE}:5062;maddr=${maddr};branch=z9hG4bK-m`
    bench.udpIn(requestText({ method: 'CANCEL', via }))
    return bench.take()
  }

  test('MUST say where the response goes, at the port of the sent-by, where it is obeyed [RFC3261-18.2.2d]', () => {
    expect(answered({ 'edge.viaMaddr': 'obey' }, '203.0.113.4')).toEqual(['481 → udp 203.0.113.4:5062'])
  })

  test.each(['239.1.2.3', 'somewhere.test'])('says nothing where it is %s', (maddr) => {
    expect(answered({ 'edge.viaMaddr': 'obey' }, maddr)).toEqual([`481 → udp ${ALICE}:5062`])
  })

  test('says nothing by default: we are no reflector', () => {
    expect(answered({}, '203.0.113.4')).toEqual([`481 → udp ${ALICE}:5062`])
  })
})

test.each([
  ['224.0.0.1', true],
  ['239.255.255.250', true],
  ['[ff02::1]', true],
  ['FF05::2', true],
  ['223.255.255.255', false],
  ['240.0.0.1', false],
  ['2001:db8::ff02', false],
  ['ff02.test', false],
  ['224.example', false],
])('%s is a group: %s [RFC3261-18.1.1e]', (host, expected) => {
  expect(isMulticast(host)).toBe(expected)
})

test('nothing is sent to a group: 480 [RFC3261-18.1.1e]', () => {
  bench = new EdgeBench()
  bench.udpIn(requestText({ method: 'MESSAGE' }))
  bench.plan([['sip:all@example.test;maddr=224.0.1.75']])
  expect(bench.take()).toEqual([`480 → udp ${ALICE}:5060`])
})

test.each([
  ['Edge.Test', 5060, true],
  ['[2001:0DB8:0::1]', 5060, true],
  ['[2001:db8::1]', -1, true],
  ['[2001:db8::2]', 5060, false],
])('%s:%i is ours: %s [RFC5954-4.2]', (host, port, expected) => {
  bench = new EdgeBench()
  const listeners = ['udp:edge.test:5060', 'udp:[2001:db8::1]:5060']
  bench.joined([
    {
      id: 'e.1',
      name: 'e',
      incarnation: '1',
      internalAddress: BOB,
      internalPort: 1,
      listeners,
      draining: false,
      version: '',
    },
  ])
  expect(bench.core.membership.isOwnAddress(host, port)).toBe(expected)
})

describe('a Path', () => {
  const OWN = (host: string): boolean => host === EDGE_ADDRESS
  interface Row {
    name: string
    path: string[]
    first?: string
    uri?: string
    route?: string
  }
  const ROWS: Row[] = [
    {
      name: 'goes to its first URI with all of it as Route [RFC3327-5.4]',
      path: ['<sip:p1.test;lr>', '<sip:p2.test;lr>;x'],
      first: 'sip:p1.test;lr',
      uri: BOB_URI,
      route: 'Route: <sip:p1.test;lr>, <sip:p2.test;lr>;x\r\n',
    },
    {
      name: 'first of a strict router: that is the Request-URI, and the contact goes last [RFC3261-16.6.6gh]',
      path: ['<sip:p1.test>', '<sip:p2.test;lr>'],
      first: 'sip:p1.test',
      uri: 'sip:p1.test',
      route: `Route: <sip:p2.test;lr>, <${BOB_URI}>\r\n`,
    },
    {
      name: 'that begins with us begins behind us',
      path: [`<sip:x@${EDGE_ADDRESS};lr>`, '<sip:p2.test;lr>'],
      first: 'sip:p2.test;lr',
      uri: BOB_URI,
      route: 'Route: <sip:p2.test;lr>\r\n',
    },
    { name: 'of us alone is none', path: [`<sip:${EDGE_ADDRESS};lr>`] },
    { name: 'that is no URI is none', path: ['garbage <', '<sip:p2.test;lr>'] },
  ]
  test.each(ROWS)('$name', ({ path, first, uri, route }) => {
    const way = pathWay(path, BOB_URI, OWN)
    expect(way).toEqual(first === undefined ? undefined : { first, uri, route })
  })
})

test.each([
  ['udp', false, '<sip:T@h:5060;lr>'],
  ['udp', true, '<sips:T@h:5060;lr>'],
  ['tcp', false, '<sip:T@h:5060;transport=tcp;lr>'],
  ['tls', false, '<sips:T@h:5060;lr>'],
  ['wss', true, '<sips:T@h:5060;transport=ws;lr>'],
] as const)('Record-Route over %s, sips %s: %s [RFC5658-6.2c] [RFC3261-16.6.4g]', (transport, isSecure, expected) => {
  const facing = new Facing({ transport, host: 'h', port: 5060, edgeHash: 1, internal: false })
  expect(facing.route('T', isSecure)).toBe(expected)
})

test.each([
  ['tls', false, '<sip:T@h:5061;transport=tls;lr>'],
  ['tls', true, '<sips:T@h:5061;lr>'],
  ['tcp', false, '<sip:T@h:5061;transport=tcp;lr>'],
] as const)('Record-Route over %s, sips %s, for phones that know no sips: %s', (transport, isSecure, expected) => {
  const facing = new Facing({ transport, host: 'h', port: 5061, edgeHash: 1, internal: false, namesTls: true })
  expect(facing.route('T', isSecure)).toBe(expected)
})
