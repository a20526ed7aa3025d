// SPDX-License-Identifier: MIT
// What the layer counts of its messages, retransmissions among them, and the states of its transactions.
// Not tested here: what an edge counts without a transaction (services/edge/src/metrics/edge-metrics.test.ts).
import { expect, test } from 'vitest'
import { Bench, request, requestText, response, UDP } from './testing.ts'

const words = (series: readonly { method: string; status: number; count: number }[]): string[] =>
  series.map(({ method, status, count }) => `${method}${status === 0 ? '' : ` ${status}`} ${count}`)

test('a client counts what it sends, again and as ACK, and final responses that came again', () => {
  const bench = new Bench()
  const { layer } = bench
  const tx = bench.client(requestText(), UDP)
  bench.advance(500)
  layer.receiveResponse(tx, response(486))
  layer.receiveResponse(tx, response(486))
  expect(words(layer.traffic.requests('out'))).toEqual(['INVITE 2', 'ACK 2'])
  expect(layer.traffic).toMatchObject({ resentRequests: 2, repeatedResponses: 1, resentResponses: 0 })
  expect(layer.states()).toEqual([{ machine: 'invite_client', state: 'completed', count: 1 }])
})

test('a server counts its responses by status, and those that it repeats', () => {
  const bench = new Bench()
  const { layer } = bench
  const msg = request({ method: 'MESSAGE' })
  const tx = bench.server(msg, UDP)
  expect(layer.states()).toEqual([{ machine: 'server', state: 'trying', count: 1 }])
  bench.respond(tx, 404, { method: 'MESSAGE' })
  layer.receiveRequest(tx, msg)
  expect(words(layer.traffic.responses('out'))).toEqual(['MESSAGE 404 2'])
  expect(layer.traffic).toMatchObject({ resentResponses: 1, repeatedRequests: 1 })
})

test('timeouts are counted by their timer', () => {
  const bench = new Bench()
  bench.client(requestText(), UDP)
  bench.client(requestText({ method: 'OPTIONS', branch: 'z9hG4bKother' }), UDP)
  bench.advance(40_000)
  expect(bench.layer.counts).toMatchObject({ timerB: 1, timerF: 1, clientTimeouts: 2 })
})

test('what others note: a method that the table does not know is OTHER', () => {
  const { traffic } = new Bench().layer
  traffic.requestIn(request({ method: 'FOO' }).method)
  traffic.responseIn(0, 699)
  traffic.responseIn(1, 100)
  expect(words(traffic.requests('in'))).toEqual(['OTHER 1'])
  expect(words(traffic.responses('in'))).toEqual(['OTHER 699 1', 'INVITE 100 1'])
})
