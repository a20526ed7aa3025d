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

/**
 * Takes out what the plan removes, once a line: every header of a name, or those with exactly the value; and puts its words in the place
 * of those that it rewrites. A header that one edit has changed is left alone by those that come after.
 */
export function changeHeaders(edits: Edits, request: SipMessage, headerEdits: readonly policy.HeaderEdit[]): void {
  const changed = new Set<number>()
  for (const edit of headerEdits) {
    const isRemoval = edit.operation === policy.HeaderEdit_Operation.REMOVE
    if ((!isRemoval && edit.operation !== policy.HeaderEdit_Operation.REWRITE) || isOurs(edit.name)) continue
    for (let k = findHeaderByName(request, edit.name); k >= 0; k = findHeaderByName(request, edit.name, k + 1)) {
      if (changed.has(k)) continue
      if (isRemoval ? remove(edits, request, k, edit) : rewrite(edits, request, k, edit)) changed.add(k)
    }
  }
}

function remove(edits: Edits, request: SipMessage, k: number, { value }: policy.HeaderEdit): boolean {
  if (value !== '' && headerValue(request, k) !== value) return false
  edits.remove(headerLineStart(request, k), headerLineEnd(request, k))
  return true
}

function rewrite(
  edits: Edits,
  request: SipMessage,
  k: number,
  { name, value, match = '' }: policy.HeaderEdit,
): boolean {
  const old = headerValue(request, k)
  if (!old.startsWith(match)) return false
  const line = `${name}: ${value}${match === '' ? '' : old.slice(match.length)}\r\n`
  edits.replace(headerLineStart(request, k), headerLineEnd(request, k), line)
  return true
}

/** Headers that forwarding itself edits, or that no request can do without: a plan has no say in them. */
function isOurs(name: string): boolean {
  return OURS.has(name.toLowerCase())
}

const OURS: ReadonlySet<string> = new Set(
  'via v route record-route max-forwards from f to t call-id i cseq content-length l'.split(' '),
)
