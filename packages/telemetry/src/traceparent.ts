// SPDX-License-Identifier: MIT
//
// The context of a span as text: W3C Trace Context, section 3.2, version 00. Of the flags only `sampled` is read; `random` is set, because
// ids are hashes.

export interface SpanPlace {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

const FORM = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/
const SAMPLED = 1
const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)

export function formatTraceparent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? '03' : '02'}`
}

/** Undefined for what is none; later versions are read as far as they are like this one. */
export function parseTraceparent(text: string): SpanPlace | undefined {
  const [, traceId, spanId, flags] = FORM.exec(text) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined || text.startsWith('ff')) return undefined
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 }
}
