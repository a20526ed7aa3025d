// SPDX-License-Identifier: MIT
//
// What `tandem cdr` is asked, as a path of the records service. Pure.

export interface CdrFlags {
  readonly limit?: number
  /** `1h`, or a time. */
  readonly since?: string
  readonly until?: string
  readonly account?: string
  readonly trunk?: string
  readonly callId?: string
  readonly caller?: string
  readonly callee?: string
  readonly failed: boolean
  readonly from?: string
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/**
 * `90s`, `15m`, `1h`, `7d`, `2w` before now, or a time in ISO 8601 → ms since 1970; undefined for anything else. A date alone
 * begins at midnight UTC.
 */
export function parseWhen(text: string, nowMs: number): number | undefined {
  const ago = /^(\d{1,6})([smhdw])$/.exec(text)
  if (ago) return nowMs - Number(ago[1]) * (UNITS_MS[ago[2] as string] as number)
  const ms = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isFinite(ms) ? ms : undefined
}

/** `since` and `until` are times already. */
export function recordsPath(flags: CdrFlags, nowMs: number): string {
  const { since, until, failed, limit, ...texts } = flags
  const query = new URLSearchParams()
  for (const [name, when] of [
    ['since', since],
    ['until', until],
  ] as const) {
    if (when !== undefined) query.set(name, String(parseWhen(when, nowMs)))
  }
  for (const name of ['account', 'trunk', 'callId', 'caller', 'callee', 'from'] as const) {
    const text = texts[name]
    if (text !== undefined) query.set(name, text)
  }
  if (failed) query.set('failed', 'true')
  if (limit !== undefined) query.set('limit', String(limit))
  return `/records?${query}`
}
