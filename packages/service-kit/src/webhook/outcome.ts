// SPDX-License-Identifier: MIT
//
// What an HTTP answer says about a webhook: taken, refused for good, or to be tried again, and when. Pure.

export type WebhookOutcome =
  /** The receiver has it. */
  | { readonly state: 'delivered'; readonly status: number }
  /** The receiver will never take this one. */
  | { readonly state: 'refused'; readonly status: number; readonly reason: string }
  /** Nobody can tell, or not now; `retryAfterMs` is what the receiver asked for, 0 where it did not. */
  | { readonly state: 'failed'; readonly reason: string; readonly retryAfterMs: number }

/** A longer wish is cut: a receiver must not put us to sleep for a week. */
export const LONGEST_RETRY_AFTER_MS = 3_600_000

/**
 * 4xx that speak of the receiver's state or its settings (who may send, which path, how much), not of this body: a wrong
 * password for ten minutes must not cost ten minutes of records. All other 4xx are final. [RFC9110-15.5, RFC6585-4]
 */
const PASSING_4XX: ReadonlySet<number> = new Set([401, 403, 404, 407, 408, 409, 421, 423, 424, 425, 429])

/** Date.parse takes far more than HTTP knows: -5 is a year to it. */
const HTTP_DATE = /^[A-Z][a-z]{2}.*GMT$/

/** Seconds or an HTTP date [RFC9110-10.2.3] → ms from now; 0 for nothing or nonsense. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number {
  if (value === undefined) return 0
  const text = value.trim()
  const waitMs = /^\d{1,10}$/.test(text) ? Number(text) * 1_000 : HTTP_DATE.test(text) ? Date.parse(text) - nowMs : 0
  return Number.isFinite(waitMs) ? Math.min(Math.max(waitMs, 0), LONGEST_RETRY_AFTER_MS) : 0
}

/** Redirects are not followed: a signed body goes where the operator said and nowhere else. */
export function outcomeOf(status: number, retryAfter: string | undefined, nowMs: number): WebhookOutcome {
  if (status >= 200 && status < 300) return { state: 'delivered', status }
  const reason = `HTTP ${status}`
  if (status >= 400 && status < 500 && !PASSING_4XX.has(status)) return { state: 'refused', status, reason }
  return { state: 'failed', reason, retryAfterMs: parseRetryAfter(retryAfter, nowMs) }
}
