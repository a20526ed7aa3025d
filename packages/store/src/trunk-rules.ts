// SPDX-License-Identifier: MIT
// Numbers of trunks that both stores count by, what can be a key, and the breaker of a host. scripts/trunks.ts has the same rules.

import type { AttemptHealth, BreakerTerms, HostHealth } from './trunk-store.ts'

/** Attempts of one call at one trunk that can be told apart. */
export const MAX_ATTEMPTS = 128
/** The end of an attempt or call is known as noted this long, but for no more than MAX_OVER of a trunk. */
export const OVER_MS = 60_000
export const MAX_OVER = 50_000
/** Sub-buckets of the window of quality. */
export const QUALITY_BUCKETS = 10
/** Hosts of a trunk whose health is kept; beyond it the one that was noted first goes. */
export const MAX_HOSTS = 64
/** What nobody touched this long is forgotten. */
export const TRUNK_KEEP_MS = 48 * 3_600_000
export const NEWS_KEEP_MS = 60_000
/** Work that was due this long ago is nobody's any more. */
export const WORK_KEEP_MS = 3_600_000
/** Pieces of work in one claim. */
export const MAX_WORK = 1_024
/** Registrations that are remembered. */
export const MAX_STATES = 4_096
export const MAX_STATE_CHARS = 16_384

const NAME = /^[A-Za-z0-9._-]{1,200}$/
const HOST = /^[^\s{}]{1,300}$/
const REF = /^[A-Za-z0-9_-]{1,64}$/
const WORK = /^[^\s{}]{1,600}$/

export const isTrunk = (name: string): boolean => NAME.test(name)
export const isHost = (host: string): boolean => HOST.test(host)
export const isPlace = (ref: string, attempt: number): boolean =>
  REF.test(ref) && Number.isInteger(attempt) && attempt >= 0 && attempt < MAX_ATTEMPTS
export const isRef = (ref: string): boolean => REF.test(ref)
export const areWork = (keys: readonly string[]): boolean =>
  keys.length <= MAX_WORK && keys.every((key) => WORK.test(key))

export const qualityBucketMs = (windowMs: number): number => Math.max(1, Math.ceil(windowMs / QUALITY_BUCKETS))

/** In the order in which Redis keeps it. */
export interface HostRecord {
  failures: number
  firstMs: number
  /** 0: closed. */
  openUntilMs: number
  opened: number
  trialUntilMs: number
  probeFailures: number
  /** 0: never. */
  probeMs: number
  probeGood: number
  probeStatus: number
  probeTookMs: number
}

export const newHost = (): HostRecord => ({
  failures: 0,
  firstMs: 0,
  openUntilMs: 0,
  opened: 0,
  trialUntilMs: 0,
  probeFailures: 0,
  probeMs: 0,
  probeGood: 0,
  probeStatus: 0,
  probeTookMs: 0,
})

function open(host: HostRecord, openMs: number, nowMs: number): true {
  if (host.openUntilMs === 0) host.opened++
  host.openUntilMs = nowMs + openMs
  host.failures = 0
  host.trialUntilMs = 0
  return true
}

function close(host: HostRecord): true {
  Object.assign(host, { failures: 0, openUntilMs: 0, trialUntilMs: 0, probeFailures: 0 })
  return true
}

/** What came of a call. A breaker that is open hears only of what began before it opened. @returns whether its state changed */
export function noteHealth(host: HostRecord, health: AttemptHealth, terms: BreakerTerms, nowMs: number): boolean {
  if (health === 'neutral') return false
  if (host.openUntilMs > nowMs) return false
  const isHalf = host.openUntilMs > 0
  if (health === 'good') {
    if (isHalf) return close(host)
    host.failures = 0
    return false
  }
  if (isHalf) return open(host, terms.openMs, nowMs)
  if (host.failures === 0 || nowMs - host.firstMs > terms.windowMs) Object.assign(host, { failures: 1, firstMs: nowMs })
  else host.failures++
  return terms.failures > 0 && host.failures >= terms.failures && open(host, terms.openMs, nowMs)
}

/** @returns whether its state changed */
export function noteProbe(
  host: HostRecord,
  probe: { readonly good: boolean; readonly status: number; readonly tookMs: number },
  terms: BreakerTerms,
  nowMs: number,
): boolean {
  const { good, status, tookMs } = probe
  Object.assign(host, { probeMs: nowMs, probeGood: good ? 1 : 0, probeStatus: status, probeTookMs: tookMs })
  host.probeFailures = good ? 0 : host.probeFailures + 1
  if (host.openUntilMs > nowMs) return false
  if (host.openUntilMs > 0) return good ? close(host) : open(host, terms.openMs, nowMs)
  return host.probeFailures >= terms.probeFailures && open(host, terms.openMs, nowMs)
}

export function healthOf(name: string, host: HostRecord, nowMs: number): HostHealth {
  const { openUntilMs, failures, opened, probeMs, probeGood, probeStatus, probeTookMs } = host
  const state = openUntilMs === 0 ? 'closed' : openUntilMs > nowMs ? 'open' : 'half'
  const leftMs = Math.max(0, openUntilMs - nowMs)
  const probe = { agoMs: Math.max(0, nowMs - probeMs), good: probeGood === 1, status: probeStatus, tookMs: probeTookMs }
  return { host: name, state, leftMs, failures, opened, probe: probeMs === 0 ? undefined : probe }
}
