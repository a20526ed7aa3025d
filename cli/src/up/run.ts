// SPDX-License-Identifier: MIT
//
// Runs a composition until a signal: start, say that it is ready, wait, drain, stop. The same for one service and for all.
import { createLogger, KitError, Lifecycle, onSignals } from '@tandem/service-kit'
import type { Composition } from './single.ts'

const READY_POLL_MS = 20

export interface RunOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'
  readonly drainMs: number
  /** Deadline of each part's stop; the kit's own unless given. */
  readonly stopMs?: number
  /** Called once, when the composition is ready for the first time. */
  readonly onReady: () => void
  /** Ends the run like a signal does (the parent process has gone). */
  readonly ended?: Promise<unknown>
}

/** Calls `then` at the first true of `ready`. Returns what ends the watch. */
function whenReady(ready: () => boolean, then: () => void): () => void {
  const timer = setInterval(() => {
    if (!ready()) return
    clearInterval(timer)
    then()
  }, READY_POLL_MS)
  return () => clearInterval(timer)
}

/** Resolves with the exit status after a clean stop; rejects when a part does not start. */
export async function runUntilSignal(composition: Composition, options: RunOptions): Promise<number> {
  const logger = createLogger({ level: options.level, service: 'tandem' })
  const lifecycle = new Lifecycle({
    logger,
    drainMs: options.drainMs,
    ...(options.stopMs && { stopMs: options.stopMs }),
  })
  for (const part of composition.parts) lifecycle.add(part)
  const signals = onSignals(() => process.exit(130))
  const stopAsked = Promise.race([signals.first, options.ended ?? new Promise<never>(() => undefined)])
  const stopped = stopAsked.then(() => lifecycle.stop())
  try {
    await lifecycle.start()
    const endWatch = whenReady(composition.ready, options.onReady)
    await stopped
    endWatch()
    return 0
  } catch (error) {
    throw error instanceof KitError
      ? error
      : new KitError('start_failed', error instanceof Error ? error.message : String(error), error)
  } finally {
    signals.release()
  }
}
