// SPDX-License-Identifier: MIT
// A fraud event as the text that is stored: JSON, 64-bit integers as decimal text. Texts of callers are cut, so that an
// event stays small whatever they send.

import type { FraudEvent } from './types.ts'

const MAX_TEXT = 512

const cut = (_key: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return value.toString()
  return typeof value === 'string' && value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value
}

export function eventText(event: FraudEvent): string {
  return JSON.stringify(event, cut)
}

/** What another version of this program has stored may lack fields. */
export function eventOf(text: string): FraudEvent {
  const stored = JSON.parse(text) as Partial<Record<keyof FraudEvent, unknown>>
  const words = (key: keyof FraudEvent): string => (typeof stored[key] === 'string' ? stored[key] : '')
  return {
    id: words('id'),
    at: Number(stored.at ?? 0),
    rule: words('rule'),
    scope: words('scope'),
    subject: words('subject'),
    measure: words('measure'),
    level: stored.level === 'critical' ? 'critical' : 'warning',
    value: BigInt(words('value') || 0),
    threshold: BigInt(words('threshold') || 0),
    action: words('action'),
    dryRun: stored.dryRun === true,
    ref: words('ref'),
    account: words('account'),
    source: words('source'),
    caller: words('caller'),
    callee: words('callee'),
    detail: words('detail'),
  }
}
