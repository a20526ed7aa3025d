// SPDX-License-Identifier: MIT
//
// One message until it is taken, refused or too old: at least once, by its key. The caller bounds how many run at once and
// keeps the message (in a stream, in a file) until this resolves; a caller that ends before it starts it again.
import { setTimeout as sleep } from 'node:timers/promises'
import { RetryPause, type RetrySettings } from './retry-pause.ts'
import type { WebhookMessage, WebhookSender } from './sender.ts'

export interface DeliverOptions extends RetrySettings {
  /** When what the message tells of happened, ms since 1970; by default now. */
  readonly bornUnixMs?: number
  /** Age at which it is given up. */
  readonly maxAgeMs: number
  /** Ends it without a result: `aborted`. */
  readonly signal?: AbortSignal
  readonly nowMs?: () => number
  readonly onFailure?: (reason: string) => void
}

export type Delivery =
  | { readonly state: 'delivered' }
  /** For the dead-letter file: refused by the receiver, or too old. */
  | { readonly state: 'dead'; readonly reason: string }
  | { readonly state: 'aborted' }

export async function deliver(
  sender: Pick<WebhookSender, 'send'>,
  message: WebhookMessage,
  options: DeliverOptions,
): Promise<Delivery> {
  const { signal, maxAgeMs, nowMs = Date.now } = options
  const bornMs = options.bornUnixMs ?? nowMs()
  const pause = new RetryPause(options)
  while (!signal?.aborted) {
    const outcome = await sender.send(message, signal)
    if (outcome.state === 'delivered') return { state: 'delivered' }
    if (outcome.state === 'refused') return { state: 'dead', reason: outcome.reason }
    if (signal?.aborted) break
    options.onFailure?.(outcome.reason)
    const pauseMs = pause.next(outcome.retryAfterMs)
    if (nowMs() + pauseMs - bornMs > maxAgeMs) return { state: 'dead', reason: `too old; last: ${outcome.reason}` }
    await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined)
  }
  return { state: 'aborted' }
}
