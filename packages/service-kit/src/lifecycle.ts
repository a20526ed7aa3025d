// SPDX-License-Identifier: MIT
//
// Start in order, stop in reverse. Stopping has two passes: every part drains (bounded by one deadline for all), then every
// part stops. A part that fails to start stops those before it. A second signal ends the process at once.
// Race: a signal during start waits for the part that is starting, then stops; nothing starts after it.
import type { Logger } from './logger.ts'

/** A part of a process. Each hook may be absent. */
export interface Part {
  readonly name: string
  readonly start?: () => void | Promise<void>
  /** Takes no new work and resolves when what is under way has finished. */
  readonly drain?: () => void | Promise<void>
  readonly stop?: () => void | Promise<void>
}

export interface LifecycleOptions {
  readonly logger: Logger
  /** Deadline of the drain pass, all parts together. */
  readonly drainMs: number
  /** Deadline of each part's stop. */
  readonly stopMs?: number
}

/** Resolves with true when the promise settled in time. */
async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

export class Lifecycle {
  private readonly parts: Part[] = []
  private readonly running: Part[] = []
  private readonly options: LifecycleOptions
  private stopping: Promise<void> | undefined

  constructor(options: LifecycleOptions) {
    this.options = options
  }

  /** Adds a part; parts start in the order in which they were added. */
  add(part: Part): this {
    this.parts.push(part)
    return this
  }

  /** Starts every part. When one throws, those already running are stopped and the error is thrown on. */
  async start(): Promise<void> {
    for (const part of this.parts) {
      if (this.stopping) return this.stopping
      try {
        await part.start?.()
        this.running.push(part)
      } catch (error) {
        await this.stop()
        throw error
      }
    }
    if (this.stopping) await this.stopRunning()
  }

  /** Drains, then stops, in reverse order. Idempotent. */
  stop(): Promise<void> {
    this.stopping ??= this.drainAndStop()
    return this.stopping
  }

  private async drainAndStop(): Promise<void> {
    const { drainMs, logger } = this.options
    const drains = this.running.map((part) => this.guard(part, part.drain))
    if (!(await within(Promise.all(drains), drainMs)))
      logger.warn({ drainMs }, 'drain deadline reached, stopping with work under way')
    await this.stopRunning()
  }

  private async stopRunning(): Promise<void> {
    const stopMs = this.options.stopMs ?? 3_000
    for (let part = this.running.pop(); part; part = this.running.pop()) {
      const inTime = await within(this.guard(part, part.stop), stopMs)
      if (!inTime) this.options.logger.warn({ part: part.name, stopMs }, 'part did not stop in time')
    }
  }

  private async guard(part: Part, hook: Part['stop']): Promise<void> {
    try {
      await hook?.call(part)
    } catch (error) {
      this.options.logger.error({ part: part.name, err: error }, 'part failed while stopping')
    }
  }
}

/** A terminal, npm and a wrapper may each pass on the same Ctrl-C: what comes this soon is the same signal. */
const SAME_SIGNAL_MS = 1_000

/** Resolves at the first SIGINT or SIGTERM; a later one calls `force`. Call `release` to take the handlers off. */
export function onSignals(force: () => void): { readonly first: Promise<NodeJS.Signals>; release(): void } {
  let firstAt = Number.POSITIVE_INFINITY
  let resolveFirst: (signal: NodeJS.Signals) => void = () => undefined
  const first = new Promise<NodeJS.Signals>((resolve) => {
    resolveFirst = resolve
  })
  const handler = (signal: NodeJS.Signals) => {
    const now = performance.now()
    if (now - firstAt > SAME_SIGNAL_MS) return force()
    firstAt = Math.min(firstAt, now)
    resolveFirst(signal)
  }
  process.on('SIGINT', handler)
  process.on('SIGTERM', handler)
  return {
    first,
    release() {
      process.off('SIGINT', handler)
      process.off('SIGTERM', handler)
    },
  }
}
