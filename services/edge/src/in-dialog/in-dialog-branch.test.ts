// SPDX-License-Identifier: MIT
// The one copy of a request inside a dialog: by its size, to the next endpoint of its host, with Record-Route where the text asks for
// it. Does not test: who the next hop is (in-dialog.test.ts, routing-clauses.test.ts).
import { afterEach, describe, expect, test } from 'vitest'
import { StreamPeer } from '../listeners/peers.ts'
import { ALICE, BOB, EdgeBench, namesOf, requestText, responseTo, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const UP = `udp ${ALICE}:5060`
const BOB_URI = `sip:bob@${BOB}`

const dialog = (method = 'INVITE', names: Record<string, string[]> = {}): string[] => {
  bench = new EdgeBench({}, 'edge-0.test', namesOf(names))
  bench.udpIn(requestText({ method }))
  bench.plan([[BOB_URI]])
  if (method === 'INVITE') bench.begin()
  bench.udpIn(responseTo(bench.last(method), 200, 'bob', [`Contact: <${BOB_URI}>`]), BOB)
  bench.take()
  return valuesOf(bench.last(method), 'Record-Route').map((value) => `Route: ${value}`)
}

const inDialog = (method: string, headers: string[], uri = BOB_URI): string =>
  requestText({ method, uri, toTag: 'bob', branch: 'z9hG4bK-in', cseq: method === 'ACK' ? 1 : 2, headers })

const LARGE = `X-Large: ${'x'.repeat(1_200)}`
const settle = async (): Promise<void> => {
  for (let k = 0; k < 5; k += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('more than 1,300 bytes', () => {
  test.each(['INFO', 'ACK'])('%s goes over TCP, its Via says so [RFC3261-18.1.1ab]', (method) => {
    const routes = dialog()
    bench.udpIn(inDialog(method, [...routes, LARGE]))
    expect(bench.take()).toEqual([`${method} → tcp 1`])
    expect(valuesOf(bench.last(method), 'Via')[0]).toMatch(/^SIP\/2\.0\/TCP /)
  })

  test('goes over UDP where TCP was refused, the next one at once [RFC3261-18.1.1d]', () => {
    const routes = dialog()
    bench.udpIn(inDialog('INFO', [...routes, LARGE]))
    const peer = bench.tcp.find(1)?.context as StreamPeer
    expect(peer).toBeInstanceOf(StreamPeer)
    bench.take()
    bench.core.hops.onLost(peer, true)
    for (const tx of [...peer.clients]) bench.core.layer.transportError(tx)
    bench.advance(100)
    expect(bench.take()).toEqual([`INFO → udp ${BOB}:5060`])
    bench.udpIn(inDialog('ACK', [...routes, LARGE]))
    expect(bench.take()).toEqual([`ACK → udp ${BOB}:5060`])
    bench.nowMs += 400_000
    bench.udpIn(inDialog('ACK', [...routes, LARGE]))
    expect(bench.take()).toEqual(['ACK → tcp 1'])
  })

  test('stays on UDP where only an address behind a NAT is known', () => {
    bench = new EdgeBench()
    const via = 'Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-a1;rport'
    bench.udpIn(requestText({ via }), '203.0.113.7', 40_000)
    bench.plan([[BOB_URI]])
    bench.begin()
    bench.udpIn(responseTo(bench.last('INVITE'), 200), BOB)
    const routes = valuesOf(bench.last('INVITE'), 'Record-Route').map((value) => `Route: ${value}`)
    bench.take()
    const headers = [...routes, LARGE]
    const back = { method: 'INFO', uri: 'sip:alice@10.0.0.1', fromTag: 'bob', toTag: 'alice', headers }
    bench.udpIn(requestText({ ...back, via: `Via: SIP/2.0/UDP ${BOB};branch=z9hG4bK-b` }), BOB)
    expect(bench.take()).toEqual(['INFO → udp 203.0.113.7:40000'])
  })

  test('that no datagram holds and that must be one: 513', () => {
    const routes = dialog()
    bench.udpIn(inDialog('INFO', [...routes, LARGE]))
    bench.core.hops.onLost(bench.tcp.find(1)?.context as StreamPeer, true)
    const body = 'x'.repeat(65_300)
    const huge = requestText({
      method: 'INFO',
      uri: BOB_URI,
      toTag: 'bob',
      branch: 'z9hG4bK-h',
      cseq: 3,
      headers: routes,
    })
    bench.take()
    bench.udpIn(huge.replace('Content-Length: 0\r\n\r\n', `Content-Length: ${body.length}\r\n\r\n${body}`))
    expect(bench.take()).toEqual([`513 → ${UP}`])
  })
})

describe('a Contact that is a name', () => {
  test('of two addresses: the second where the first does not answer, by another branch [RFC3263-4.3]', async () => {
    const routes = dialog('INVITE', { 'b.test': [BOB, '192.0.2.99'] })
    bench.udpIn(inDialog('BYE', routes, 'sip:bob@b.test:5060'))
    await settle()
    expect(bench.take()).toEqual([`BYE → udp ${BOB}:5060`])
    const first = valuesOf(bench.last('BYE'), 'Via')[0]
    bench.udpIn(responseTo(bench.last('BYE'), 503), BOB)
    expect(bench.take()).toEqual(['BYE → udp 192.0.2.99:5060'])
    expect(valuesOf(bench.last('BYE'), 'Via')[0]).not.toBe(first)
    bench.udpIn(responseTo(bench.last('BYE'), 200), '192.0.2.99')
    expect(bench.take()).toEqual([`200 → ${UP}`])
  })
})

describe('Record-Route inside a dialog', () => {
  test('NOTIFY has the one that it came by, for a subscriber who learns his Route set from it [RFC6665-4.3]', () => {
    const routes = dialog('SUBSCRIBE')
    const notify = { method: 'NOTIFY', uri: `sip:alice@${ALICE}`, fromTag: 'bob', toTag: 'alice', headers: routes }
    bench.udpIn(requestText({ ...notify, via: `Via: SIP/2.0/UDP ${BOB};branch=z9hG4bK-n` }), BOB)
    expect(valuesOf(bench.last('NOTIFY'), 'Record-Route').map((value) => `Route: ${value}`)).toEqual(routes)
    expect(valuesOf(bench.last('NOTIFY'), 'Max-Breadth')).toEqual(['60'])
  })

  test('other requests have none: the Route set stands', () => {
    const routes = dialog()
    bench.udpIn(inDialog('INVITE', routes))
    expect(valuesOf(bench.last('INVITE'), 'Record-Route')).toEqual([])
  })
})
