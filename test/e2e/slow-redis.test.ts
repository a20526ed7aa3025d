// SPDX-License-Identifier: MIT
// A Redis that answers two seconds late, behind a whole cluster that phones register at: what waits is bounded, the others get 503 with
// Retry-After, memory does not grow with the load, what needs no store goes on, and service comes back by itself. From outside, over UDP.
// Not tested here: a Redis that is lost (failures.test.ts, test/location), priorities (services/edge/src/admission).
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { redisAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { startDelayProxy } from '../location/support/delay-proxy.ts'
import { Cluster } from './support/cluster.ts'
import { type Message, Phone, token, withPhone } from './support/phone.ts'

const server = redisAvailable()
if (!server.available) console.warn(`The test of a slow Redis is skipped: ${server.reason}`)

const SLOW_MS = 2_000
const STORM_MS = 8_000
const PER_SECOND = 500
/** What a process may grow by: 4,000 requests of a kilobyte or two, and what the collector leaves for a while. */
const MAX_GROWTH_BYTES = 150 * 2 ** 20

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

function rssBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
}

/** REGISTERs of strangers at a rate; answers by status, and whether each 503 says when to come back. */
class Storm {
  readonly answers = new Map<number, number>()
  withoutRetryAfter = 0
  readonly #socket: Socket
  #sent = 0

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (bytes) => {
      const text = bytes.toString('latin1')
      const status = Number(text.slice(8, 11))
      this.answers.set(status, (this.answers.get(status) ?? 0) + 1)
      if (status === 503 && !/\r\nRetry-After: [1-9]/.test(text)) this.withoutRetryAfter += 1
    })
  }

  /** @param line a header with its line end */
  async run(port: number, forMs: number, line: (n: number) => string): Promise<void> {
    for (const began = performance.now(); performance.now() - began < forMs; await sleep(20)) {
      const due = ((performance.now() - began) * PER_SECOND) / 1_000
      for (; this.#sent < due; this.#sent++)
        this.#socket.send(this.#text(this.#sent, line(this.#sent)), port, '127.0.0.1')
    }
  }

  #text(n: number, line: string): string {
    const own = this.#socket.address().port
    return (
      `REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${own};rport;branch=z9hG4bKslow${n}\r\nMax-Forwards: 70\r\n` +
      `From: <sip:alice@example.test>;tag=s${n}\r\nTo: <sip:alice@example.test>\r\nCall-ID: slow-${n}\r\nCSeq: 1 REGISTER\r\n` +
      `${line}Contact: <sip:alice@127.0.0.1:${own}>\r\nContent-Length: 0\r\n\r\n`
    )
  }
}

async function openStorm(): Promise<Storm> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  cleanups.push(() => socket.close())
  return new Storm(socket)
}

/** The answer to a request without credentials. */
async function firstAnswer(phone: Phone, method: string): Promise<Message> {
  const callId = token()
  phone.send(phone.request(method, { callId, cseq: 1, uri: 'sip:example.test' }))
  return phone.final(`the answer to ${method}`, callId, `1 ${method}`)
}

/** Header lines that answer one challenge, each with its own nonce count. */
async function credentialsFor(port: number): Promise<(n: number) => string> {
  const phone = await Phone.open({ user: 'alice', port })
  cleanups.push(() => phone.close())
  const challenge = await firstAnswer(phone, 'REGISTER')
  return (n) => `${phone.credentials(challenge, 'REGISTER', 'sip:example.test', { nc: n + 1 })}\r\n`
}

describe.skipIf(!server.available)('a Redis that answers two seconds late', () => {
  it('bounded, 503 with Retry-After, what needs no store goes on, and all is well once it is quick again', async () => {
    const redis = await startRedis()
    cleanups.push(() => redis.stop())
    const proxy = await startDelayProxy(redis.port)
    cleanups.push(() => proxy.close())
    const env = {
      TANDEM_RPC_TIMEOUT_MS: '1000',
      TANDEM_EDGE_LIMITS_MAX_PENDING_REQUESTS: '400',
      TANDEM_POLICY_REPLAY_WITHOUT_STORE: 'open', // so that the storm comes through to location, not to a challenge anew
    }
    const cluster = await Cluster.start({ store: `redis://127.0.0.1:${proxy.port}`, env })
    cleanups.push(() => cluster.stop())
    const port = cluster.sipPort(0)
    const isRegistered = () =>
      withPhone({ user: 'bob', port }, (phone) => phone.register()).then(({ status }) => status === 200)
    expect(await isRegistered()).toBe(true)

    const storm = await openStorm()
    const { pid } = cluster.process
    const before = rssBytes(pid)
    proxy.delayMs = SLOW_MS
    const credentials = await credentialsFor(port)
    const options: number[] = []
    const running = storm.run(port, STORM_MS, credentials)
    for (let k = 0; k < 5; k++) {
      await sleep(STORM_MS / 6)
      options.push((await withPhone({ user: 'carol', port }, (phone) => firstAnswer(phone, 'OPTIONS'))).status)
    }
    await running
    await sleep(2_500)
    expect(storm.answers.get(200) ?? 0).toBe(0)
    expect(storm.answers.get(503) ?? 0).toBeGreaterThan(500)
    expect(storm.withoutRetryAfter).toBe(0)
    expect(options.every((status) => status < 500)).toBe(true)
    expect(rssBytes(pid) - before).toBeLessThan(MAX_GROWTH_BYTES)

    proxy.delayMs = 0
    await waitUntil('REGISTERs to succeed again', isRegistered, 20_000)
  })
})
