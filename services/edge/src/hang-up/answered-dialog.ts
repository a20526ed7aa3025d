// SPDX-License-Identifier: MIT
//
// The dialog that a 2xx makes, as it goes on record: what any edge needs to send requests inside it to either party. Route sets are cut at
// our Record-Route: what stands above it in the response was added behind us, toward the callee; what stands below came with the INVITE.
//
// Leaves out a dialog that has no token of this call, or no Contact: nobody can send into it.

import type { policy } from '@tandem/rpc'
import {
  HEADER,
  NameAddrView,
  parseNameAddrView,
  parseUriView,
  type SipMessage,
  UriView,
  ValueCursor,
  type VerifiedToken,
} from '@tandem/sip'
import type { EdgeCore } from '../core.ts'

/** Characters of a dialog's texts, at most; policy keeps no larger one (packages/store, MAX_DIALOG_CHARS). */
const MAX_CHARS = 4_096

const cursor = new ValueCursor()
const nameAddr = new NameAddrView()
const uri = new UriView()

/** Route sets from us to both parties, and our own token. */
interface Ways {
  readonly token: string
  readonly toCaller: string[]
  readonly toCallee: string[]
}

/** URI of the first Contact; '' without one. */
export function contactUri(msg: SipMessage): string {
  cursor.reset(msg, HEADER.CONTACT)
  if (!cursor.next() || !parseNameAddrView(msg.buf, cursor.start, cursor.end, nameAddr)) return ''
  return msg.text(nameAddr.uriStart, nameAddr.uriEnd)
}

/** @param caller as known from the INVITE, its routes left out */
export function dialogOf(
  core: EdgeCore,
  callRef: string,
  answer: SipMessage,
  toTag: string,
  caller: policy.Party,
  callee: Pick<policy.Party, 'flow' | 'aor'>,
): policy.Dialog | undefined {
  const ways = readWays(core, callRef, answer)
  const target = contactUri(answer)
  if (ways === undefined || target === '' || caller.target === '') return undefined
  const { token, toCaller, toCallee } = ways
  const size = token.length + target.length + caller.target.length + charsOf(toCaller) + charsOf(toCallee)
  if (size > MAX_CHARS) return undefined
  return {
    toTag,
    token,
    caller: { ...caller, routes: toCaller, cseq: answer.cseq },
    callee: { ...callee, target, routes: toCallee, cseq: 0 },
  }
}

const charsOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + text.length, 0)

function readWays(core: EdgeCore, callRef: string, answer: SipMessage): Ways | undefined {
  const toCallee: string[] = []
  const toCaller: string[] = []
  let token = ''
  cursor.reset(answer, HEADER.RECORD_ROUTE)
  while (cursor.next()) {
    if (isOfCall(verifiedAt(core, answer), callRef)) token = answer.text(uri.userStart, uri.userEnd)
    else if (token === '')
      toCallee.unshift(answer.text(cursor.start, cursor.end)) // the last added comes last on the way
    else toCaller.push(answer.text(cursor.start, cursor.end))
  }
  return token === '' ? undefined : { token, toCaller, toCallee }
}

const isOfCall = (token: VerifiedToken | undefined, callRef: string): boolean => token?.callRef === callRef

/** What the user part of the value under the cursor says. */
function verifiedAt(core: EdgeCore, msg: SipMessage): VerifiedToken | undefined {
  if (!parseNameAddrView(msg.buf, cursor.start, cursor.end, nameAddr)) return undefined
  if (!parseUriView(msg.buf, nameAddr.uriStart, nameAddr.uriEnd, uri) || uri.userStart < 0) return undefined
  return core.routeOwner.verifyToken(msg, uri.userStart, uri.userEnd)
}
