// SPDX-License-Identifier: MIT
// What a transaction keeps while it lingers: no request once it is answered, no response that nobody can ask for, and
// few bytes in all. CPU and memory at a steady rate are measured by packages/sip/bench/transactions.ts.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import type { SipMessage } from '../message/index.ts'
import type { ClientTransaction } from './client-transaction.ts'
import type { ServerTransaction } from './server-transaction.ts'
import { Bench, type MessageParts, request, requestText, response, UDP } from './testing.ts'

const keptOf = (tx: ClientTransaction | ServerTransaction): number => tx.keptEnd - tx.keptStart

const lifeOf = (parts: MessageParts, status: number): { client: number; server: number } => {
  const bench = new Bench()
  const server = bench.server(request(parts), UDP)
  const client = bench.client(requestText(parts), UDP)
  bench.layer.receiveResponse(client, response(status, parts))
  bench.respond(server, status, parts)
  return { client: keptOf(client), server: keptOf(server) }
}

test('an answered INVITE keeps nothing on either side', () => {
  expect(lifeOf({}, 200)).toEqual({ client: 0, server: 0 })
})

test('a failed INVITE keeps the ACK on one side and the response on the other', () => {
  const { client, server } = lifeOf({}, 486)
  expect(client).toBeGreaterThan(0)
  expect(client).toBeLessThan(requestText().length + 64)
  expect(server).toBeGreaterThan(0)
})

test('another request keeps nothing on the client side, its response on the server side', () => {
  const { client, server } = lifeOf({ method: 'BYE' }, 200)
  expect([client, server > 0]).toEqual([0, true])
})

test('a ringing INVITE keeps its request for the ACK or CANCEL and the last provisional response', () => {
  const { client, server } = lifeOf({}, 180)
  expect(client).toBe(requestText().length)
  expect(server).toBeGreaterThan(0)
})

const collect = (() => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
})()

/** Several times, with turns between: buffers are given back behind the collector's back. */
const memory = async (): Promise<number> => {
  for (let i = 0; i < 4; i++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Writes `number` over the branch's last digits; the message was scanned before and stays as it is otherwise. */
const renumber = (msg: SipMessage, number: number): void => {
  msg.buf.write(String(number).padStart(6, '0'), msg.viaBranchEnd - 6, 'latin1')
}

test('a lingering transaction takes at most 600 bytes, the copied response included', async () => {
  const bench = new Bench()
  bench.recorder.send = () => true
  bench.recorder.onResponse = () => {}
  const parts = { method: 'BYE', branch: 'z9hG4bK-4711-000000' }
  const [bye, answer] = [request(parts), response(200, parts)]
  const before = await memory()
  const count = 40_000
  for (let i = 0; i < count / 2; i++) {
    for (const msg of [bye, answer]) renumber(msg, i)
    const branch = bye.text(bye.viaBranchStart, bye.viaBranchEnd)
    bench.layer.respond(bench.server(bye, UDP), 200, answer.buf, answer.start, answer.end)
    const client = bench.layer.createClient(branch, bye.method, bye.buf, bye.start, bye.end, UDP, undefined)
    bench.layer.receiveResponse(client as ClientTransaction, answer)
  }
  expect(bench.layer.serverCount + bench.layer.clientCount).toBe(count)
  const bytes = ((await memory()) - before) / count
  expect(bytes).toBeGreaterThan(100)
  expect(bytes).toBeLessThan(600)
})
