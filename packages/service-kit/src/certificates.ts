// SPDX-License-Identifier: MIT
//
// When the certificates that a process shows end, by what they are for, once per process however many services run in it. Whoever loads
// certificates says so here; the earliest end of each kind is what a scrape sees. Bound: one entry for each who has not taken it back.
import type { Series } from './metrics.ts'

/** rpc: between services. sip: TLS and WebSocket of an edge. console: the admin API. */
export type CertificateUse = 'rpc' | 'sip' | 'console'

/** What is loaded now. */
export interface LoadedCertificates {
  /** The first end, milliseconds of Unix time. */
  readonly notAfterMs: number
  /** How often changed files could not be used. */
  readonly failures: number
}

const loaded = new Map<() => LoadedCertificates, CertificateUse>()

/** Counts them in; the function that is returned takes them out. */
export function watchCertificates(use: CertificateUse, read: () => LoadedCertificates): () => void {
  const own = (): LoadedCertificates => read()
  loaded.set(own, use)
  return () => void loaded.delete(own)
}

function byUse(pick: (all: readonly LoadedCertificates[]) => number): Series[] {
  const found = new Map<CertificateUse, LoadedCertificates[]>()
  for (const [read, use] of loaded) found.set(use, [...(found.get(use) ?? []), read()])
  return [...found].map(([use, all]) => ({ labels: { use }, value: pick(all) }))
}

/** Seconds of Unix time. */
export const certificateEnds = (): Series[] => byUse((all) => Math.min(...all.map((one) => one.notAfterMs)) / 1_000)

export const certificateFailures = (): Series[] => byUse((all) => all.reduce((sum, one) => sum + one.failures, 0))
