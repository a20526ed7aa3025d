// SPDX-License-Identifier: MIT
// The transaction layer on fake surroundings and a fake clock: what is sent, when, and what is passed up.
// Does not test: which transaction a message belongs to (matching.test.ts), arbitrary sequences (layer-property.test.ts).
import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { STATE } from './machine.ts'
import { Bench, message, request, requestText, response, responseText, START_MS, TCP, UDP } from './testing.ts'

const resends = (events: [number, string][]): number[] =>
  events.filter(([, word]) => word.startsWith('send')).map(([ms]) => ms)

describe('INVITE client', () => {
  test('UDP, nobody answers: Timer A doubles, Timer B ends it after 64*T1 [RFC3261-17.1.1.2bcefgmlz]', () => {
    const bench = new Bench()
    bench.client(requestText(), UDP)
    expect(bench.recorder.take()).toEqual(['send INVITE'])
    const events = bench.advance(40_000)
    expect(resends(events)).toEqual([500, 1500, 3500, 7500, 15_500, 31_500])
    expect(events.slice(-2)).toEqual([
      [32_000, 'timeout'],
      [32_000, 'client end'],
    ])
    expect(bench.layer.clientCount).toBe(0)
  })

  test('TCP, nobody answers: no retransmission, the same end [RFC3261-17.1.1.2de]', () => {
    const bench = new Bench()
    bench.client(requestText(), TCP)
    bench.recorder.take()
    expect(bench.advance(40_000)).toEqual([
      [32_000, 'timeout'],
      [32_000, 'client end'],
    ])
  })

  test('a provisional response ends Timers A and B: the call may ring for long [RFC3261-17.1.1.2hno]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(), UDP)
    bench.layer.receiveResponse(tx, response(180))
    expect(bench.recorder.take()).toEqual(['send INVITE', 'up 180'])
    expect(bench.advance(600_000)).toEqual([])
    expect(tx.state).toBe(STATE.PROCEEDING)
  })

  test('every 2xx goes up, none is acknowledged here, Timer M ends it [RFC6026-7.2abcd] [RFC6026-8.4ijklmn]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(), UDP)
    for (const tag of ['one', 'one', 'two']) bench.layer.receiveResponse(tx, response(200, { toTag: tag }))
    bench.layer.receiveResponse(tx, response(486))
    expect(bench.recorder.take()).toEqual(['send INVITE', 'up 200', 'up 200', 'up 200'])
    expect(tx.kept).toBeUndefined()
    expect(bench.advance(32_000)).toEqual([[32_000, 'client end']])
  })

  test('a failure is acknowledged, goes up once, and its retransmissions get the same ACK [RFC3261-17.1.1.2qrsuvwx] [RFC3261-17.1.1.3bd] [RFC6026-8.4abcefgh]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(), UDP)
    bench.layer.receiveResponse(tx, response(486, { toTag: 'busy' }))
    bench.layer.receiveResponse(tx, response(486, { toTag: 'busy' }))
    expect(bench.recorder.take()).toEqual(['send INVITE', 'send ACK', 'up 486', 'send ACK'])
    const ack = message(bench.recorder.sent[1] as string)
    expect(bench.recorder.sent[2]).toBe(bench.recorder.sent[1])
    expect(ack.text(ack.toTagStart, ack.toTagEnd)).toBe('busy')
    expect(ack.text(ack.viaBranchStart, ack.viaBranchEnd)).toBe(tx.branch)
    expect(bench.advance(60_000)).toEqual([[32_000, 'client end']])
  })

  test('TCP: a failure is acknowledged, and Timer D lasts zero [RFC3261-17.1.1.2suz] [RFC6026-8.4ceo]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(), TCP)
    bench.layer.receiveResponse(tx, response(486))
    expect(bench.recorder.take()).toEqual(['send INVITE', 'send ACK', 'up 486', 'client end'])
    expect([bench.layer.clientCount, bench.layer.runningTimers, bench.layer.keptBytes]).toEqual([0, 0, 0])
  })

  test('Timer D stays at 32 s when T1 is small [RFC3261-17.1.1.2u] [RFC6026-8.4e]', () => {
    const bench = new Bench({ timers: { t1Ms: 10, t2Ms: 40, t4Ms: 50 } })
    const tx = bench.client(requestText(), UDP)
    bench.layer.receiveResponse(tx, response(486))
    bench.recorder.take()
    expect(bench.advance(60_000)).toEqual([[32_000, 'client end']])
  })

  test('a transport error ends it and is reported [RFC3261-17.1.4ab]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(), UDP)
    bench.layer.transportError(tx)
    expect(bench.recorder.take()).toEqual(['send INVITE', 'client transport error', 'client end'])
    expect(bench.layer.runningTimers).toBe(0)
  })
})

describe('cancel', () => {
  test('sends a CANCEL with the branch of the INVITE, in its own transaction [RFC3261-9.1c]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(), UDP)
    bench.layer.receiveResponse(tx, response(180))
    const cancel = bench.layer.cancel(tx, 'context')
    expect(cancel?.context).toBe('context')
    expect(bench.recorder.take()).toEqual(['send INVITE', 'up 180', 'send CANCEL'])
    expect(bench.layer.findClient(response(200, { cseqMethod: 'CANCEL' }))).toBe(cancel)
    expect(bench.layer.findClient(response(487))).toBe(tx)
  })

  test.each([
    ['before a provisional response', []],
    ['after the answer', [200]],
    ['after a failure', [486]],
  ])('does nothing %s [RFC3261-9.1ghi]', (_name, statuses) => {
    const bench = new Bench()
    const tx = bench.client(requestText(), UDP)
    for (const status of statuses) bench.layer.receiveResponse(tx, response(status))
    bench.recorder.take()
    expect(bench.layer.cancel(tx, undefined)).toBeUndefined()
    expect(bench.recorder.take()).toEqual([])
  })
})

describe('non-INVITE client', () => {
  const OPTIONS = { method: 'OPTIONS' }

  test('UDP, nobody answers: Timer E doubles up to T2, Timer F ends it [RFC3261-17.1.2.2abcde]', () => {
    const bench = new Bench()
    bench.client(requestText(OPTIONS), UDP)
    bench.recorder.take()
    const events = bench.advance(40_000)
    expect(resends(events)).toEqual([500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
    expect(events.slice(-2)).toEqual([
      [32_000, 'timeout'],
      [32_000, 'client end'],
    ])
  })

  test('after a provisional response Timer E has T2, and Timer F still ends it [RFC3261-17.1.2.2gjkm]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(OPTIONS), UDP)
    bench.layer.receiveResponse(tx, response(100, OPTIONS))
    bench.recorder.take()
    const events = bench.advance(40_000)
    expect(resends(events)).toEqual([500, 4500, 8500, 12_500, 16_500, 20_500, 24_500, 28_500])
    expect(events.at(-1)).toEqual([32_000, 'client end'])
  })

  test('the final response goes up once; Timer K absorbs for T4 [RFC3261-17.1.2.2hipq]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(OPTIONS), UDP)
    for (let i = 0; i < 3; i++) bench.layer.receiveResponse(tx, response(200, OPTIONS))
    expect(bench.recorder.take()).toEqual(['send OPTIONS', 'up 200'])
    expect(tx.kept).toBeUndefined()
    expect(bench.advance(10_000)).toEqual([[5000, 'client end']])
  })

  test('TCP: nothing is kept, Timer K lasts zero [RFC3261-17.1.2.2pr]', () => {
    const bench = new Bench()
    const tx = bench.client(requestText(OPTIONS), TCP)
    expect(bench.layer.keptBytes).toBe(0)
    bench.layer.receiveResponse(tx, response(200, OPTIONS))
    expect(bench.recorder.take()).toEqual(['send OPTIONS', 'up 200', 'client end'])
    expect(bench.layer.runningTimers).toBe(0)
  })
})

describe('INVITE server', () => {
  test('a repeated INVITE gets the last provisional response, and none before there is one [RFC3261-17.2.1de]', () => {
    const bench = new Bench()
    const tx = bench.server(request(), UDP)
    bench.layer.receiveRequest(tx, request())
    bench.respond(tx, 100)
    bench.respond(tx, 180)
    bench.layer.receiveRequest(tx, request())
    expect(bench.recorder.take()).toEqual(['send 100', 'send 180', 'send 180'])
  })

  test('a failure: Timer G doubles up to T2, Timer H reports the missing ACK [RFC3261-17.2.1hijk]', () => {
    const bench = new Bench()
    const tx = bench.server(request(), UDP)
    bench.respond(tx, 486)
    bench.recorder.take()
    const events = bench.advance(40_000)
    expect(resends(events)).toEqual([500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
    expect(events.at(-1)).toEqual([32_000, 'server end, no ACK'])
    expect(bench.layer.counts.missingAcks).toBe(1)
  })

  test('TCP: a failure is sent once, Timer H still waits for the ACK, Timer I lasts zero [RFC3261-17.2.1jkmn]', () => {
    const bench = new Bench()
    const tx = bench.server(request(), TCP)
    bench.respond(tx, 486)
    expect(bench.recorder.take()).toEqual(['send 486'])
    expect(bench.advance(10_000)).toEqual([])
    bench.layer.receiveRequest(tx, request({ method: 'ACK' }))
    expect(bench.recorder.take()).toEqual(['server end'])
  })

  test('the ACK ends the retransmissions; Timer I absorbs further ones for T4 [RFC3261-17.2.1mn]', () => {
    const bench = new Bench()
    const tx = bench.server(request(), UDP)
    bench.respond(tx, 486)
    bench.layer.receiveRequest(tx, request({ method: 'ACK' }))
    expect(tx.kept).toBeUndefined()
    bench.layer.receiveRequest(tx, request({ method: 'ACK' }))
    bench.recorder.take()
    expect(bench.advance(10_000)).toEqual([[5000, 'server end']])
  })

  test('Accepted: repeated INVITEs are absorbed, each 2xx is sent, an ACK goes up, Timer L ends it [RFC6026-7.1abcde] [RFC6026-8.5ab] [RFC6026-8.7abc] [RFC3261-17.2.1f]', () => {
    const bench = new Bench()
    const tx = bench.server(request(), TCP)
    bench.respond(tx, 180)
    bench.respond(tx, 200, { toTag: 'one' })
    expect([tx.kept, tx.lastStatus]).toEqual([undefined, 200])
    bench.layer.receiveRequest(tx, request())
    bench.respond(tx, 200, { toTag: 'two' })
    bench.respond(tx, 486)
    bench.layer.receiveRequest(tx, request({ method: 'ACK' }))
    expect(bench.recorder.take()).toEqual(['send 180', 'send 200', 'send 200', 'up ACK'])
    expect(bench.advance(40_000)).toEqual([[32_000, 'server end']])
  })

  test('a transport error is reported and changes nothing [RFC6026-8.8ab] [RFC6026-7.1gh] [RFC6026-6b] [RFC3261-17.2.4a]', () => {
    const bench = new Bench()
    const tx = bench.server(request(), UDP)
    bench.respond(tx, 200)
    bench.layer.transportError(tx)
    expect(bench.recorder.take()).toEqual(['send 200', 'server transport error'])
    expect(tx.state).toBe(STATE.ACCEPTED)
  })

  test('it never answers on its own: 100 is the core’s to send', () => {
    const bench = new Bench()
    bench.server(request(), UDP)
    expect(bench.advance(5000)).toEqual([])
  })
})

describe('non-INVITE server', () => {
  const OPTIONS = { method: 'OPTIONS' }

  test('repeated requests: nothing in Trying, the last response afterwards; Timer J ends it [RFC3261-17.2.2abdefghijl]', () => {
    const bench = new Bench()
    const tx = bench.server(request(OPTIONS), UDP)
    bench.layer.receiveRequest(tx, request(OPTIONS))
    expect(bench.recorder.take()).toEqual([])
    bench.respond(tx, 100, OPTIONS)
    bench.layer.receiveRequest(tx, request(OPTIONS))
    bench.respond(tx, 200, OPTIONS)
    bench.layer.receiveRequest(tx, request(OPTIONS))
    bench.respond(tx, 500, OPTIONS)
    expect(bench.recorder.take()).toEqual(['send 100', 'send 100', 'send 200', 'send 200'])
    expect(bench.advance(40_000)).toEqual([[32_000, 'server end']])
  })

  test('TCP: Timer J lasts zero [RFC3261-17.2.2gk]', () => {
    const bench = new Bench()
    const tx = bench.server(request(OPTIONS), TCP)
    bench.respond(tx, 200, OPTIONS)
    expect(bench.recorder.take()).toEqual(['send 200', 'server end'])
    expect([bench.layer.serverCount, bench.layer.keptBytes]).toEqual([0, 0])
  })

  test('a provisional response other than 100 is refused [RFC4320-4.1a]', () => {
    const bench = new Bench()
    const tx = bench.server(request(OPTIONS), UDP)
    bench.respond(tx, 183, OPTIONS)
    expect(bench.recorder.take()).toEqual([])
    expect([tx.state, bench.layer.counts.stays]).toEqual([STATE.TRYING, 1])
  })

  test('a 408 is not sent; repeated requests are absorbed until Timer J [RFC4320-4.2a]', () => {
    const bench = new Bench()
    const tx = bench.server(request(OPTIONS), UDP)
    bench.respond(tx, 100, OPTIONS)
    bench.respond(tx, 408, OPTIONS)
    bench.layer.receiveRequest(tx, request(OPTIONS))
    expect(bench.recorder.take()).toEqual(['send 100'])
    expect(bench.advance(40_000)).toEqual([[32_000, 'server end']])
  })

  test('a 408 to an INVITE is sent', () => {
    const bench = new Bench()
    bench.respond(bench.server(request(), UDP), 408)
    expect(bench.recorder.take()).toEqual(['send 408'])
  })
})

describe('bounds', () => {
  test('beyond the limits nothing begins, and it is counted', () => {
    const bench = new Bench({ limits: { maxServers: 1, maxClients: 1 } })
    bench.server(request(), UDP)
    bench.client(requestText(), UDP)
    bench.recorder.take()
    const other = request({ branch: 'z9hG4bKother' })
    expect(bench.layer.createServer(other, bench.layer.serverKey(other), UDP, undefined)).toBeUndefined()
    expect(bench.layer.createClient('z9hG4bKother', other.method, other.buf, 0, other.end, UDP, 0)).toBeUndefined()
    expect(bench.layer.counts).toMatchObject({ refusedServers: 1, refusedClients: 1 })
    expect(bench.recorder.take()).toEqual([])
  })

  test('beyond the bytes that may be kept nothing begins; what runs goes on', () => {
    const bench = new Bench({ limits: { maxKeptBytes: 100 } })
    const tx = bench.server(request(), UDP)
    bench.respond(tx, 180)
    const other = request({ branch: 'z9hG4bKother' })
    expect(bench.layer.createServer(other, bench.layer.serverKey(other), UDP, undefined)).toBeUndefined()
    bench.respond(tx, 486)
    expect(bench.recorder.take()).toEqual(['send 180', 'send 486'])
  })

  test('a key or branch in use is refused and counted, and CANCEL is no such case', () => {
    const bench = new Bench()
    const msg = request()
    bench.server(msg, UDP)
    bench.client(requestText(), UDP)
    expect(bench.layer.createServer(msg, bench.layer.serverKey(msg), UDP, undefined)).toBeUndefined()
    const branch = msg.text(msg.viaBranchStart, msg.viaBranchEnd)
    expect(bench.layer.createClient(branch, msg.method, msg.buf, 0, msg.end, UDP, 0)).toBeUndefined()
    expect(bench.layer.counts).toMatchObject({ duplicateServers: 1, duplicateClients: 1 })
    expect([bench.layer.serverCount, bench.layer.clientCount]).toEqual([1, 1])
    bench.client(requestText({ method: 'CANCEL' }), UDP)
    expect(bench.layer.clientCount).toBe(2)
  })
})

describe('order and re-entrance', () => {
  test('bytes are copied: what the caller does with its buffer afterwards does not matter', () => {
    const bench = new Bench()
    const msg = request()
    const tx = bench.layer.createClient('z9hG4bK776asdhds', msg.method, msg.buf, 0, msg.end, UDP, undefined)
    const server = bench.server(request(), UDP)
    const buf = Buffer.from(responseText(486), 'latin1')
    bench.layer.respond(server, 486, buf, 0, buf.length)
    msg.buf.fill(0)
    buf.fill(0)
    bench.recorder.sent = []
    bench.advance(500)
    expect(bench.recorder.sent.toSorted()).toEqual([requestText(), responseText(486)])
    expect(tx?.state).toBe(STATE.CALLING)
  })

  test('a transport error from inside send takes effect at the next tick', () => {
    const bench = new Bench()
    const server = bench.server(request(), UDP)
    bench.recorder.onSend = () => bench.layer.transportError(server)
    bench.respond(server, 180)
    expect(bench.recorder.take()).toEqual(['send 180'])
    expect(bench.layer.nextDeadline()).toBe(START_MS)
    bench.layer.tick(START_MS)
    expect(bench.recorder.take()).toEqual(['server transport error'])
  })

  test('[RFC3261-17.1.4] [RFC3261-18.4c] bytes that are not taken are a transport error at the next tick', () => {
    const bench = new Bench()
    bench.recorder.onSend = () => false
    const tx = bench.client(requestText(), TCP)
    expect(bench.recorder.take()).toEqual(['send INVITE'])
    bench.layer.tick(START_MS)
    expect(bench.recorder.take()).toEqual(['client transport error', 'client end'])
    expect([tx.state, bench.layer.clientCount, bench.layer.counts.transportErrors]).toEqual([STATE.TERMINATED, 0, 1])
  })

  test('[RFC6026-8.8ab] a response that is not taken is told, and the transaction stays', () => {
    const bench = new Bench()
    const server = bench.server(request(), TCP)
    bench.recorder.onSend = () => false
    bench.respond(server, 486)
    bench.layer.tick(START_MS)
    expect(bench.recorder.take()).toEqual(['send 486', 'server transport error'])
    expect(server.state).toBe(STATE.COMPLETED)
  })

  test('the user may end a transaction in each of its callbacks', () => {
    const bench = new Bench()
    bench.recorder.onEvent = (tx) => bench.layer.abort(tx)
    const tx = bench.client(requestText({ method: 'OPTIONS' }), TCP)
    bench.layer.receiveResponse(tx, response(200, { method: 'OPTIONS' }))
    expect(bench.recorder.take()).toEqual(['send OPTIONS', 'up 200'])
    expect([bench.layer.clientCount, bench.layer.runningTimers, bench.layer.counts.aborted]).toEqual([0, 0, 1])
  })

  test('what a callback of a late tick begins has its timers from that tick on', () => {
    const bench = new Bench()
    bench.respond(bench.server(request(), UDP), 200)
    bench.recorder.onEvent = (_tx, word) => {
      if (word === 'server end') bench.client(requestText(), UDP)
    }
    bench.recorder.take()
    bench.layer.tick(START_MS + 100_000)
    expect(bench.recorder.take()).toEqual(['server end', 'send INVITE'])
    expect(bench.layer.nextDeadline()).toBe(START_MS + 100_500)
  })

  test('aborting twice, or after the end, does nothing', () => {
    const bench = new Bench()
    const tx = bench.server(request(), UDP)
    bench.layer.abort(tx)
    bench.layer.abort(tx)
    const next = bench.server(request({ branch: 'z9hG4bKnext' }), UDP)
    bench.layer.abort(tx)
    expect(bench.layer.serverCount).toBe(1)
    expect(next.state).toBe(STATE.PROCEEDING)
  })

  test('a response before the transport answers the same call is handled like a later one', () => {
    const bench = new Bench()
    bench.recorder.onSend = (text) => {
      if (!text.startsWith('OPTIONS')) return
      const msg = response(200, { method: 'OPTIONS' })
      const tx = bench.layer.findClient(msg)
      if (tx !== undefined) bench.layer.receiveResponse(tx, msg)
    }
    bench.client(requestText({ method: 'OPTIONS' }), UDP)
    expect(bench.recorder.take()).toEqual(['send OPTIONS', 'up 200'])
  })
})
