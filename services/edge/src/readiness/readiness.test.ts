// SPDX-License-Identifier: MIT
// When an edge says that it is ready, on real sockets. Does not test: a port shared with other processes (test/chaos, test/ops).
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { LocationMethods, location, PolicyMethods, policy } from '@tandem/rpc'
import { createLogger } from '@tandem/service-kit'
import { freePortRange, waitUntil } from '@tandem/test-kit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createEdgeService, type EdgeService } from '../service.ts'
import { callerOf, ManualService, testConfig } from '../testing.ts'
import { LagWatch } from './lag-watch.ts'
import { encodeQuestion, isAnswer, questionOf } from './question.ts'
import { Readiness } from './readiness.ts'
import { type ProbeOutcome, SelfProbe } from './self-probe.ts'

const HOST = '127.0.0.1'
const SILENT = createLogger({ level: 'silent', service: 'test' })

describe('an edge', () => {
  let places: ManualService & { ready: boolean }
  let rules: ManualService & { ready: boolean }
  let edge: EdgeService

  beforeEach(async () => {
    places = Object.assign(new ManualService(), { ready: true })
    rules = Object.assign(new ManualService(), { ready: false })
    places.defaults.set('leaveEdge', {})
    places.defaults.set('leaseEdge', { edges: undefined })
    edge = createEdgeService({
      config: testConfig({
        'edge.bindAddress': HOST,
        'edge.basePort': await freePortRange(8, 1),
        'edge.warmUpCalls': 0,
        'edge.readiness.intervalMs': 100,
        'shutdown.drainMs': 1,
      }),
      location: callerOf<LocationMethods, location.Push>(places),
      policy: callerOf<PolicyMethods, policy.Push>(rules),
      logger: SILENT,
    })
  })

  afterEach(() => edge.stop())

  it('is ready once its UDP, TCP and TLS ports answer OPTIONS, and policy was there once', async () => {
    expect(edge.missing()).toEqual([
      'open ports',
      'an answer to OPTIONS at its own port',
      'a place in the cluster',
      'policy',
    ])
    await edge.start()
    await waitUntil('answers', () => edge.missing().join() === 'policy', 10_000)
    rules.ready = true
    expect(edge.ready()).toBe(true)
    rules.ready = false
    places.ready = false
    expect(edge.missing()).toEqual([])
  })

  it('is not ready any more as soon as it drains', async () => {
    rules.ready = true
    await edge.start()
    await waitUntil('readiness', () => edge.ready(), 10_000)
    await edge.drain()
    expect(edge.missing()).toEqual(['an edge that stays: this one drains'])
  })
})

describe('a port', () => {
  let socket: Socket
  let port: number

  beforeEach(async () => {
    socket = createSocket('udp4').bind(0, HOST)
    await once(socket, 'listening')
    port = socket.address().port
  })

  afterEach(() => new Promise<void>((resolve) => socket.close(() => resolve())))

  const probeOf = (isShared: boolean): SelfProbe =>
    new SelfProbe({ host: HOST, udp: port, isShared, isProxied: false }, 100)
  const answerAll = (then: (bytes: Buffer) => void): void => {
    socket.on('message', (bytes, from) => {
      then(bytes)
      socket.send('SIP/2.0 200 OK\r\n\r\n', from.port, from.address)
    })
  }

  it('that says nothing is silent, also where several edges have it', async () => {
    expect([await probeOf(false).ask(), await probeOf(true).ask()]).toEqual(['silent', 'silent'])
  })

  it('that is closed is silent', async () => {
    const free = await freePortRange(1, 1)
    const probe = new SelfProbe({ host: HOST, udp: free, tcp: free, isShared: false, isProxied: false }, 100)
    expect(await probe.ask()).toBe('silent')
  })

  it('where only others get the question says nothing about this edge', async () => {
    answerAll(() => undefined)
    expect(await probeOf(true).ask()).toBe('unknown')
  })

  it('that has answered once need not answer what it has read: it may have too much to do', async () => {
    const probe = probeOf(false)
    answerAll((bytes) => probe.look(bytes, 0))
    expect(await probe.ask()).toBe('answered')
    socket.removeAllListeners('message')
    expect(await probe.ask()).toBe('silent')
    socket.on('message', (bytes) => probe.look(bytes, 0))
    expect(await probe.ask()).toBe('answered')
  })
})

describe('readiness over time', () => {
  const CONFIG = { probe: true, intervalMs: 100, timeoutMs: 100, failures: 2, maxLagMs: 50 }
  const open = { own: {}, shared: {} }

  /** Rounds end as this list says, then wait for ever. */
  function readinessWith(outcomes: readonly ProbeOutcome[]) {
    const left = [...outcomes]
    const ask = (): Promise<ProbeOutcome> => {
      const next = left.shift()
      return next === undefined ? new Promise(() => undefined) : Promise.resolve(next)
    }
    const probe = { ask, close: () => undefined } as unknown as SelfProbe
    return { readiness: new Readiness(CONFIG, open, SILENT, probe), left }
  }

  it.each([
    [['answered'], true],
    [['silent'], false],
    [['unknown'], false],
    [['answered', 'silent'], true],
    [['answered', 'silent', 'silent'], false],
    [['answered', 'silent', 'answered', 'silent'], true],
    [['answered', 'unknown', 'unknown', 'unknown'], true],
    [['answered', 'silent', 'silent', 'answered'], true],
  ] as [ProbeOutcome[], boolean][])('%j: %s', async (outcomes, isReady) => {
    const { readiness, left } = readinessWith(outcomes)
    readiness.start()
    await waitUntil('all rounds', () => left.length === 0, 10_000)
    await new Promise((resolve) => setImmediate(resolve))
    expect(readiness.missing().length === 0).toBe(isReady)
    readiness.stop()
  })

  it('an event loop that is late in the mean of an interval', async () => {
    const { readiness } = readinessWith(['answered', 'answered', 'answered'])
    for (const [at, lateMs] of [0, 200, 200, 0].entries()) readiness.lag.note(at * 10 + lateMs * at, 10)
    readiness.start()
    await waitUntil('the first round', () => readiness.missing().length === 1, 10_000)
    expect(readiness.missing()).toEqual(['an event loop that is less than 50 ms late'])
    await waitUntil('the second round', () => readiness.missing().length === 0, 10_000)
    readiness.stop()
  })

  it('the mean is that of what came since it was asked for', () => {
    const lag = new LagWatch()
    for (const now of [0, 10, 40, 50]) lag.note(now, 10)
    expect([lag.take(), lag.take()]).toEqual([20 / 3, 0])
  })
})

describe('the question', () => {
  const QUESTION = { kind: 'udp', host: '::1', port: 5060, word: '0123456789abcdef01', count: 7 } as const

  it('is known again by its word', () => {
    const bytes = Buffer.concat([Buffer.from('..'), encodeQuestion(QUESTION, 4000)])
    expect(questionOf(bytes, 2)).toBe(QUESTION.word)
    expect(bytes.toString()).toContain('OPTIONS sip:ready-0123456789abcdef01@[::1]:5060 SIP/2.0\r\n')
    expect(questionOf(Buffer.from('INVITE sip:a@b SIP/2.0'), 0)).not.toBe(QUESTION.word)
  })

  it('any final response is an answer', () => {
    const texts = ['SIP/2.0 200 OK', 'SIP/2.0 503 Full', 'SIP/2.0 100 Trying', 'HTTP/1.1 200 OK', '']
    expect(texts.map((text) => isAnswer(Buffer.from(text)))).toEqual([true, true, false, false, false])
  })
})
