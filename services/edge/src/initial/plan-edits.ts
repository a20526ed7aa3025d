// SPDX-License-Identifier: MIT
//
// The header edits of a plan, in one forwarded copy.

import { policy } from '@tandem/rpc'
import { type Edits, findHeaderByName, headerLineEnd, headerLineStart, headerValue, type SipMessage } from '@tandem/sip'

/**
 * What the plan adds, as whole lines.
 *
 * @param mayTellIdentity asked once where P-Asserted-Identity is among them, which not every target may see [RFC3325-7]
 */
export function addedHeaders(headerEdits: readonly policy.HeaderEdit[], mayTellIdentity: () => boolean): string {
  let added = ''
  for (const { operation, name, value } of headerEdits) {
    if (operation !== policy.HeaderEdit_Operation.ADD) continue
    if (name.toLowerCase() === 'p-asserted-identity' && !mayTellIdentity()) continue
    added += `${name}: ${value}\r\n`
  }
  return added
}

/** Takes out what the plan removes, once a line: every header of a name, or those with exactly the value. */
export function removeHeaders(edits: Edits, request: SipMessage, headerEdits: readonly policy.HeaderEdit[]): void {
  const removed = new Set<number>()
  for (const { operation, name, value } of headerEdits) {
    if (operation !== policy.HeaderEdit_Operation.REMOVE || isOurs(name)) continue
    for (let k = findHeaderByName(request, name); k >= 0; k = findHeaderByName(request, name, k + 1)) {
      if (removed.has(k) || (value !== '' && headerValue(request, k) !== value)) continue
      removed.add(k)
      edits.remove(headerLineStart(request, k), headerLineEnd(request, k))
    }
  }
}

/** Headers that forwarding itself edits, or that no request can do without: a plan has no say in them. */
function isOurs(name: string): boolean {
  return OURS.has(name.toLowerCase())
}

const OURS: ReadonlySet<string> = new Set(
  'via v route record-route max-forwards from f to t call-id i cseq content-length l'.split(' '),
)
