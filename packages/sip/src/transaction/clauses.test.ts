// SPDX-License-Identifier: MIT
// What RFC 3261 §17 and RFC 6026 ask of the machines beyond the flows of layer.test.ts: where they begin, what of several
// responses goes up or down, where an ACK goes, and that a transaction is gone the moment it has ended.
import { describe, expect, test } from 'vitest'
import type { ClientTransaction } from './client-transaction.ts'
import { STATE } from './machine.ts'
import type { ServerTransaction } from './server-transaction.ts'
import { Bench, request, requestText, response, TCP, UDP } from './testing.ts'
import { DEFAULT_TIMERS } from './timers.ts'
import type { Peer } from './types.ts'

const OPTIONS = { method: 'OPTIONS' }

/** The peers that messages go to, in order. */
const peersOf = (bench: Bench): Peer[] => {
  const peers: Peer[] = []
  const { recorder } = bench
  const send = recorder.send.bind(recorder)
  recorder.send = ((buf: Buffer, start: number, end: number, peer: Peer) => {
    peers.push(peer)
    send(buf, start, end)
  }) as typeof recorder.send
  return peers
}

const expectNothingLeft = (bench: Bench): void => {
  const { serverCount, clientCount, runningTimers, keptBytes } = bench.layer
  expect({ serverCount, clientCount, runningTimers, keptBytes }).toEqual({
    serverCount: 0,
    clientCount: 0,
    runningTimers: 0,
    keptBytes: 0,
  })
}

describe('INVITE client', () => {
  test('MUST begin in Calling, its INVITE sent [RFC3261-17.1.1.2ab]', () => {
    const bench = new Bench()
    expect(bench.client(requestText(), UDP).state).toBe(STATE.CALLING)
    expect(bench.recorder.take()).toEqual(['send INVITE'])
  })

  test('T1 is 500 ms by default, and may be set larger [RFC3261-17.1.1.2ij]', () => {
    expect(DEFAULT_TIMERS).toMatchObject({ t1Ms: 500, t2Ms: 4_000, t4Ms: 5_000 })
    const bench = new Bench({ timers: { t1Ms: 2_000 } })
    bench.client(requestText(), UDP)
    bench.recorder.take()
    expect(bench.advance(10_000)[0]).toEqual([2_000, 'send INVITE'])
  })

  test.each([100, 500, 2_000])('MUST back off exponentially with a T1 of %i ms [RFC3261-17.1.1.2gk]', (t1Ms) => {
    const bench = new Bench({ timers: { t1Ms } })
    bench.client(requestText(), UDP)
    bench.recorder.take()
    const sentAt = bench.advance(63 * t1Ms).map(([ms]) => ms)
    expect(sentAt).toEqual([1, 3, 7, 15, 31, 63].map((times) => times * t1Ms))
  })

  test('MUST pass every provisional response up [RFC3261-17.1.1.2op]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(), UDP)
    for (const status of [100, 180, 180, 183]) bench.layer.receiveResponse(tx, response(status))
    expect(bench.recorder.take()).toEqual(['send INVITE', 'up 100', 'up 180', 'up 180', 'up 183'])
  })

  test('MUST NOT acknowledge a timeout [RFC3261-17.1.1.2m]', () => {
    const bench = new Bench()
    bench.client(requestText(), UDP)
    expect(bench.advance(100_000).map(([, word]) => word)).not.toContain('send ACK')
  })

  test('MUST send the ACK where the INVITE went [RFC3261-17.1.1.2t] [RFC6026-8.4d] [RFC3263-4a]', () => {
    const bench = new Bench()
    const peers = peersOf(bench)
    const peer = { reliable: false }
    const tx = bench.client(requestText(), peer)
    bench.advance(500)
    for (let k = 0; k < 2; k += 1) bench.layer.receiveResponse(tx, response(486))
    expect(peers).toHaveLength(4)
    for (const used of peers) expect(used).toBe(peer)
  })

  test('a failure after rings is acknowledged and goes up all the same [RFC3261-17.1.1.2qrs] [RFC6026-8.4abc]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(), UDP)
    bench.layer.receiveResponse(tx, response(180))
    bench.layer.receiveResponse(tx, response(603))
    expect(bench.recorder.take()).toEqual(['send INVITE', 'up 180', 'send ACK', 'up 603'])
    expect(tx.state).toBe(STATE.COMPLETED)
  })

  test('a 2xx MUST NOT end it [RFC6026-6a] [RFC6026-7.2a]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(), TCP)
    bench.layer.receiveResponse(tx, response(200))
    expect([tx.state, bench.layer.findClient(response(200))]).toEqual([STATE.ACCEPTED, tx])
  })
})

describe('CANCEL', () => {
  test('MUST go to the server that has the INVITE [RFC3263-4b] [RFC3261-9.1j]', () => {
    const bench = new Bench()
    const peers = peersOf(bench)
    const peer = { reliable: false }
    const tx = bench.client(requestText(), peer)
    bench.layer.receiveResponse(tx, response(180))
    bench.layer.cancel(tx, undefined)
    expect(bench.recorder.take().at(-1)).toBe('send CANCEL')
    expect(peers.at(-1)).toBe(peer)
  })
})

describe('non-INVITE client', () => {
  test('MUST pass a provisional response up, and the final one from Proceeding [RFC3261-17.1.2.2fgno]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(OPTIONS), UDP)
    bench.layer.receiveResponse(tx, response(100, OPTIONS))
    expect(tx.state).toBe(STATE.PROCEEDING)
    bench.layer.receiveResponse(tx, response(404, OPTIONS))
    expect(tx.state).toBe(STATE.COMPLETED)
    expect(bench.recorder.take()).toEqual(['send OPTIONS', 'up 100', 'up 404'])
  })

  test('MUST tell its user when Timer F fires in Proceeding [RFC3261-17.1.2.2lm]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(OPTIONS), TCP)
    bench.layer.receiveResponse(tx, response(100, OPTIONS))
    bench.recorder.take()
    expect(bench.advance(40_000)).toEqual([
      [32_000, 'timeout'],
      [32_000, 'client end'],
    ])
  })
})

describe('INVITE server', () => {
  test('SHOULD answer a repeated INVITE with the failure again [RFC3261-17.2.1l]', () => {
    const bench = new Bench()
    const tx = bench.server(request(), TCP)
    bench.respond(tx, 486)
    bench.layer.receiveRequest(tx, request())
    expect(bench.recorder.take()).toEqual(['send 486', 'send 486'])
  })

  test('MUST send each provisional response, the latest of them again [RFC3261-17.2.1de]', () => {
    const bench = new Bench()
    const tx = bench.server(request(), UDP)
    for (const status of [100, 180, 183]) bench.respond(tx, status)
    bench.layer.receiveRequest(tx, request())
    expect(bench.recorder.take()).toEqual(['send 100', 'send 180', 'send 183', 'send 183'])
  })

  test('a 2xx MUST NOT end it: repetitions still find it [RFC6026-6a] [RFC6026-7.1b]', () => {
    const bench = new Bench()
    const tx = bench.server(request(), UDP)
    bench.respond(tx, 200)
    expect(bench.layer.findServer(request())).toBe(tx)
    bench.recorder.take()
    expect(bench.advance(31_999)).toEqual([])
  })
})

describe('non-INVITE server', () => {
  test('MUST send a further provisional response too [RFC3261-17.2.2c]', () => {
    const bench = new Bench()
    const tx = bench.server(request(OPTIONS), UDP)
    for (let k = 0; k < 2; k += 1) bench.respond(tx, 100, OPTIONS)
    expect(bench.recorder.take()).toEqual(['send 100', 'send 100'])
  })

  test('MUST drop what its user sends after the final response [RFC3261-17.2.2i]', () => {
    const bench = new Bench()
    const tx = bench.server(request(OPTIONS), UDP)
    for (const status of [200, 100, 404]) bench.respond(tx, status, OPTIONS)
    bench.layer.receiveRequest(tx, request(OPTIONS))
    expect(bench.recorder.take()).toEqual(['send 200', 'send 200'])
  })
})

/** Ends a client or server of this method as its timers end it, after this status. */
interface End {
  name: string
  method: string
  status: number
  cite: string
}
const CLIENT_ENDS: End[] = [
  { name: 'a failed INVITE', method: 'INVITE', status: 486, cite: '[RFC3261-17.1.1.2xz] [RFC6026-8.4ho]' },
  { name: 'an answered INVITE', method: 'INVITE', status: 200, cite: '[RFC6026-7.2de] [RFC6026-8.4no]' },
  { name: 'another request', method: 'OPTIONS', status: 200, cite: '[RFC3261-17.1.2.2qr]' },
]
const SERVER_ENDS: End[] = [
  { name: 'a failed INVITE', method: 'INVITE', status: 486, cite: '[RFC3261-17.2.1no]' },
  { name: 'an answered INVITE', method: 'INVITE', status: 200, cite: '[RFC6026-7.1ef] [RFC6026-8.7cd]' },
  { name: 'another request', method: 'OPTIONS', status: 200, cite: '[RFC3261-17.2.2jk]' },
]

describe('MUST be gone at once when it has ended', () => {
  const endsWith = (bench: Bench, word: string, method: string): void => {
    let found: ClientTransaction | ServerTransaction | undefined | 'none' = 'none'
    const late = response(200, { method })
    bench.recorder.onEvent = (_tx, what) => {
      if (what === word)
        found = word.startsWith('client') ? bench.layer.findClient(late) : bench.layer.findServer(request({ method }))
    }
    bench.advance(64_000)
    expect(found).toBeUndefined()
    expectNothingLeft(bench)
  }

  test.each(CLIENT_ENDS)('$name, at the client $cite', ({ method, status }) => {
    const bench = new Bench()
    const tx = bench.client(requestText({ method }), UDP)
    bench.layer.receiveResponse(tx, response(status, { method }))
    endsWith(bench, 'client end', method)
  })

  test.each(SERVER_ENDS)('$name, at the server $cite', ({ method, status }) => {
    const bench = new Bench()
    const tx = bench.server(request({ method }), UDP)
    bench.respond(tx, status, { method })
    if (status === 486) bench.layer.receiveRequest(tx, request({ method: 'ACK' }))
    endsWith(bench, 'server end', method)
  })
})
