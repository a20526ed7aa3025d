// SPDX-License-Identifier: MIT
// The call on record as scripts/calls.ts packs it: short names to the fields of CallOnRecord; what is absent is empty.

import type { CallOnRecord } from '../call-record.ts'
import type { Attempt, CallDescription, CallState } from '../types.ts'
import { AGE_UNKNOWN } from '../types.ts'
import { type Packed, unpack } from './msgpack.ts'

export function callOf(ref: string, bytes: Buffer): CallOnRecord {
  const packed = unpack(bytes) as Record<string, Packed>
  const text = (name: string) => String(packed[name] ?? '')
  const number = (name: string) => Number(packed[name] ?? 0)
  return {
    ref,
    state: text('s') as CallState,
    transactionKey: text('tk'),
    callId: text('ci'),
    fromTag: text('ft'),
    fromUri: text('fu'),
    toUri: text('tu'),
    requestUri: text('ru'),
    sourceTransport: text('st'),
    sourceAddress: text('sa'),
    sourcePort: number('sp'),
    identity: text('id'),
    account: text('ac'),
    userAgent: text('ua'),
    setupEdge: text('ed'),
    attempts: text('at') === '' ? [] : (JSON.parse(text('at')) as Attempt[]),
    setupMs: number('su'),
    ringMs: number('ri'),
    answeredMs: number('an'),
    target: text('tg'),
    finalStatus: number('fs'),
    legs: legsOf(packed.lg),
    endedMs: number('en'),
    endedBy: text('by'),
    reason: text('rs'),
    endEdge: text('ee'),
    outcome: text('oc'),
    completeness: text('cp'),
  }
}

function legsOf(packed: Packed | undefined): CallOnRecord['legs'] {
  if (!Array.isArray(packed)) return []
  return (packed as [string, number, number][]).map(([tag, answered, endedMs]) => ({
    tag,
    answered: answered === 1,
    endedMs,
  }))
}

/** In the order of ARGV in scripts/calls.ts. */
export function descriptionArgs(call: CallDescription): string[] {
  const { callId, fromTag, fromUri, toUri, requestUri, source, identity, account, userAgent, edgeId, attempts } = call
  const texts = [callId, fromTag, fromUri, toUri, requestUri]
  texts.push(source?.transport ?? '', source?.address ?? '', source ? String(source.port) : '')
  texts.push(identity, account, userAgent, edgeId, attempts.length > 0 ? JSON.stringify(attempts) : '')
  texts.push(ageText(call.setupAgeMs), ageText(call.ringAgeMs))
  return texts
}

function ageText(ageMs: number): string {
  return ageMs === AGE_UNKNOWN ? '' : String(ageMs)
}
