// SPDX-License-Identifier: MIT
//
// With real child processes of a few lines. Does not test the services that run in them.

import { createLogger } from '@tandem/service-kit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Supervisor, type SupervisorOptions } from './supervisor.ts'

const READY = 'process.send("ready"); setInterval(() => {}, 1000); process.on("disconnect", () => process.exit())'
const running: Supervisor[] = []

function supervise(scripts: Record<string, string>, more: Partial<SupervisorOptions> = {}) {
  const onFatal = vi.fn()
  const specs = Object.entries(scripts).map(([name, script]) => ({ name, args: ['-e', script], env: process.env }))
  const supervisor = new Supervisor(specs, {
    logger: createLogger({ level: 'silent', service: 'test' }),
    command: [process.execPath],
    firstPauseMs: 10,
    maxPauseMs: 20,
    maxRestarts: 2,
    steadyMs: 60_000,
    stopMs: 1_000,
    onFatal,
    ...more,
  })
  running.push(supervisor)
  supervisor.start()
  return { supervisor, onFatal }
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((supervisor) => supervisor.stop()))
})

const until = (check: () => boolean) => vi.waitFor(() => expect(check()).toBe(true), { timeout: 5_000, interval: 10 })

describe('Supervisor', () => {
  it('is ready when every child has said so', async () => {
    const { supervisor } = supervise({ a: READY, b: READY })
    expect(supervisor.ready()).toBe(false)
    await until(() => supervisor.ready())
    expect(Object.keys(supervisor.pids())).toEqual(['a', 'b'])
  })

  it('starts a child again that died, under another process id', async () => {
    const { supervisor, onFatal } = supervise({ a: READY })
    await until(() => supervisor.ready())
    const pid = supervisor.pids().a as number
    process.kill(pid, 'SIGKILL')
    await until(() => supervisor.ready() && supervisor.pids().a !== pid)
    expect(onFatal).not.toHaveBeenCalled()
  })

  it('passes on the status of a child that never got ready', async () => {
    const { onFatal } = supervise({ a: 'process.exit(78)' })
    await until(() => onFatal.mock.calls.length > 0)
    expect(onFatal).toHaveBeenCalledWith('a', 78)
  })

  it('gives up on a child that dies again and again', async () => {
    const { onFatal } = supervise({ a: 'process.send("ready", () => process.exit(3))' })
    await until(() => onFatal.mock.calls.length > 0)
    expect(onFatal).toHaveBeenCalledWith('a', 1)
  })

  it('stops children in the order asked, and kills one that stays', async () => {
    const stubborn = 'process.on("SIGTERM", () => {}); process.send("ready"); setInterval(() => {}, 1000)'
    const { supervisor } = supervise({ a: READY, b: stubborn }, { stopMs: 100 })
    await until(() => supervisor.ready())
    await supervisor.stop((name) => name === 'a')
    expect(Object.keys(supervisor.pids())).toEqual(['b'])
    await supervisor.stop()
    expect(supervisor.pids()).toEqual({})
  })
})
