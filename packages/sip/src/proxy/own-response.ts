// SPDX-License-Identifier: MIT
//
// What responses of the proxy's own say beyond the request: source address and port, and a To tag.

import type { SipMessage } from '../message/index.ts'
import { needsReceived } from './forward-request.ts'
import type { SourcePeer } from './proxy-context.ts'

/** What a response of ours adds to the top Via [RFC3261-18.2.1] [RFC3581-4]. */
export function stampOf(msg: SipMessage, source: SourcePeer): { received?: string; rport?: number } {
  return needsReceived(msg, source.address) ? { received: source.address, rport: source.port } : NO_STAMP
}

const NO_STAMP = {}

/** A To tag for responses of our own: the same from every edge for the same transaction. */
export function tagOf(key: string): string {
  let high = 0x811c9dc5
  let low = 0x1000193
  for (let i = 0; i < key.length; i += 1) {
    high = Math.imul(high ^ key.charCodeAt(i), 0x01000193)
    low = Math.imul(low + key.charCodeAt(i), 0x85ebca6b) ^ (low >>> 13)
  }
  return (high >>> 0).toString(36) + (low >>> 0).toString(36)
}
