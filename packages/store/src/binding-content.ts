// SPDX-License-Identifier: MIT
// What both stores do with bindings outside their atomic step: the content hash that makes a repeat recognisable, and the
// order in which bindings are given out.

import { hash } from 'node:crypto'
import type { BindingUpdate } from './types.ts'

/** Bindings of one AoR, whatever the domain allows. */
export const MAX_BINDINGS = 100
/** Removed bindings of one AoR that are remembered. */
export const MAX_TOMBSTONES = 16

/** Hash of what the phone asked for, nothing else: a retransmission may come through another edge, by another flow and path. */
export function contentHash(update: BindingUpdate): string {
  let text = update.removeAll ? '*' : ''
  for (const { uri, expiresS, qMilli, instanceId, regId, params } of update.contacts)
    text += JSON.stringify([uri, expiresS, qMilli, instanceId, regId, params])
  return hash('sha1', text, 'base64url').slice(0, 11)
}

/** What stands for an instance where bindings of the same one are to be found; 0 for none. */
export function instanceHash(instanceId: string): number {
  if (instanceId === '') return 0
  return hash('sha1', instanceId, 'buffer').readUInt32LE(0) || 1
}

/** Scheme, user, host and port of a key that is a canonical URI: equal for all URIs that are [RFC3261-19.1.4]. Undefined for a flow. */
export function stemOf(uriKey: string): string | undefined {
  if (uriKey.startsWith('flow:')) return undefined
  const from = Math.max(0, uriKey.lastIndexOf('@'))
  const cut = uriKey.slice(from).search(/[;?]/)
  return cut < 0 ? uriKey : uriKey.slice(0, from + cut)
}

/** Bindings allowed after this update. */
export function contactBound(update: BindingUpdate): number {
  return Math.min(update.maxContacts > 0 ? update.maxContacts : MAX_BINDINGS, MAX_BINDINGS)
}

/** From oldest update first to highest q first, latest first among equals. Sorts in place. */
export function inContactOrder<T extends { qMilli: number }>(oldestFirst: T[]): T[] {
  return oldestFirst.reverse().sort((a, b) => b.qMilli - a.qMilli)
}
