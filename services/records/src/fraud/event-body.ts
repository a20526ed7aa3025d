// SPDX-License-Identifier: MIT
//
// A fraud event as JSON, for the webhook, its dead letters and `tandem fraud events -o json`. Field names are snake_case as
// those of records; numbers stay below 2^53. docs/fraud.md describes each.
import type { records } from '@tandem/rpc'

export interface FraudEventLine {
  readonly id: string
  /** ISO 8601, UTC. */
  readonly time: string
  readonly rule: string
  readonly scope: string
  readonly subject: string
  readonly measure: string
  readonly level: string
  readonly value: number
  readonly threshold: number
  readonly action: string
  readonly dry_run: boolean
  readonly call_ref: string
  readonly account: string
  readonly source_address: string
  readonly caller: string
  readonly callee: string
  readonly detail: string
}

export function toFraudLine(event: records.FraudEvent): FraudEventLine {
  return {
    id: event.id,
    time: new Date(Number(event.unixMs)).toISOString(),
    rule: event.rule,
    scope: event.scope,
    subject: event.subject,
    measure: event.measure,
    level: event.level,
    value: Number(event.value),
    threshold: Number(event.threshold),
    action: event.action,
    dry_run: event.dryRun,
    call_ref: event.callRef,
    account: event.account,
    source_address: event.sourceAddress,
    caller: event.caller,
    callee: event.callee,
    detail: event.detail,
  }
}

/** Body of a webhook. */
export const fraudBody = (event: records.FraudEvent): string =>
  JSON.stringify({ type: 'fraud_events', events: [toFraudLine(event)] })
