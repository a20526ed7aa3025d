// SPDX-License-Identifier: MIT
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Lifecycle, onSignals } from './lifecycle.ts'
import { createLogger } from './logger.ts'

const logger = createLogger({ level: 'silent', service: 'test' })
const create = () => new Lifecycle({ logger, drainMs: 1_000, stopMs: 500 })

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

/** A part that writes down what it is told. */
function recorder(log: string[], name: string) {
  const note = (what: string) => () => {
    log.push(`${what} ${name}`)
  }
  return { name, start: note('start'), drain: note('drain'), stop: note('stop') }
}

describe('Lifecycle', () => {
  it('starts in order, drains all, then stops in reverse', async () => {
    const log: string[] = []
    const lifecycle = create().add(recorder(log, 'a')).add(recorder(log, 'b'))
    await lifecycle.start()
    await lifecycle.stop()
    expect(log).toEqual(['start a', 'start b', 'drain a', 'drain b', 'stop b', 'stop a'])
  })

  it('stops once, however often it is asked', async () => {
    const log: string[] = []
    const lifecycle = create().add(recorder(log, 'a'))
    await lifecycle.start()
    await Promise.all([lifecycle.stop(), lifecycle.stop()])
    expect(log.filter((line) => line === 'stop a')).toHaveLength(1)
  })

  it('stops what is running when a part fails to start, and throws on', async () => {
    const log: string[] = []
    const broken = { ...recorder(log, 'b'), start: () => Promise.reject(new Error('taken')) }
    const lifecycle = create().add(recorder(log, 'a')).add(broken).add(recorder(log, 'c'))
    await expect(lifecycle.start()).rejects.toThrow('taken')
    expect(log).toEqual(['start a', 'drain a', 'stop a'])
  })

  it('gives up draining at the deadline', async () => {
    const log: string[] = []
    const stuck = { ...recorder(log, 'a'), drain: () => new Promise<void>(() => undefined) }
    const lifecycle = create().add(stuck)
    await lifecycle.start()
    const stopped = lifecycle.stop()
    await vi.advanceTimersByTimeAsync(999)
    expect(log).toEqual(['start a'])
    await vi.advanceTimersByTimeAsync(1)
    await stopped
    expect(log).toEqual(['start a', 'stop a'])
  })

  it('passes over a part that does not stop, or that throws', async () => {
    const log: string[] = []
    const stuck = { name: 'stuck', stop: () => new Promise<void>(() => undefined) }
    const throws = { name: 'throws', stop: () => Promise.reject(new Error('no')) }
    const lifecycle = create().add(recorder(log, 'a')).add(stuck).add(throws)
    await lifecycle.start()
    const stopped = lifecycle.stop()
    await vi.advanceTimersByTimeAsync(500)
    await stopped
    expect(log.at(-1)).toBe('stop a')
  })

  it('a stop during the start lets the starting part finish, starts nothing after it, and stops it too', async () => {
    const log: string[] = []
    let release: () => void = () => undefined
    const slow = {
      ...recorder(log, 'slow'),
      start: () =>
        new Promise<void>((resolve) => {
          release = resolve
        }),
    }
    const lifecycle = create().add(recorder(log, 'a')).add(slow).add(recorder(log, 'never'))
    const started = lifecycle.start()
    await vi.advanceTimersByTimeAsync(0)
    const stopped = lifecycle.stop()
    release()
    await Promise.all([started, stopped])
    expect(log).toContain('stop slow')
    expect(log).toContain('stop a')
    expect(log).not.toContain('start never')
  })
})

describe('onSignals', () => {
  it('resolves at the first signal, and takes an echo of it for the same', async () => {
    const force = vi.fn()
    const signals = onSignals(force)
    process.emit('SIGTERM', 'SIGTERM')
    await expect(signals.first).resolves.toBe('SIGTERM')
    await vi.advanceTimersByTimeAsync(900)
    process.emit('SIGINT', 'SIGINT')
    expect(force).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(200)
    process.emit('SIGINT', 'SIGINT')
    expect(force).toHaveBeenCalledOnce()
    signals.release()
  })
})
