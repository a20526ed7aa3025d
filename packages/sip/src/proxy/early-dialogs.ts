// SPDX-License-Identifier: MIT
//
// Early dialogs that end while others go on (RFC 6228 section 6): a caller who supports 199 is told of each early dialog of a
// branch that has failed, as long as no final response goes upstream for it.
//
// Leaves out: waiting a while before the 199 (a MAY), and 199 sent reliably: who requires that gets none.

import { HEADER, hasToken, type SipMessage } from '../message/index.ts'

/** Early dialogs of one branch (forks behind it) that are kept in mind. */
const MAX_EARLY_DIALOGS = 8

/** [RFC6228-6] Whether the sender of this request wants to hear of early dialogs that end. */
export function wantsEarlyEnds(request: SipMessage): boolean {
  return (
    request.toTagStart < 0 &&
    request.has(HEADER.SUPPORTED) &&
    hasToken(request, HEADER.SUPPORTED, '199') &&
    !hasToken(request, HEADER.REQUIRE, '100rel') &&
    !hasToken(request, HEADER.PROXY_REQUIRE, '100rel')
  )
}

/** The early dialogs of one branch, by To tag. */
export class EarlyDialogs {
  /** True: it was told as ended by a 199 from downstream. */
  private readonly dialogs = new Map<string, boolean>()

  /** A provisional response goes upstream. */
  note(status: number, toTag: string): void {
    if (this.dialogs.size < MAX_EARLY_DIALOGS || this.dialogs.has(toTag)) {
      this.dialogs.set(toTag, status === 199 || this.dialogs.get(toTag) === true)
    }
  }

  /** The tags of those that the caller still takes for alive; they are told as ended from now on. */
  end(): string[] {
    const tags: string[] = []
    for (const [tag, isEnded] of this.dialogs) if (!isEnded) tags.push(tag)
    this.dialogs.clear()
    return tags
  }
}

/** [RFC6228-6] [RFC3326-2] The Reason of a 199: the response that ended the early dialog. */
export function earlyEndReason(status: number): string {
  return `Reason: SIP;cause=${status}\r\n`
}
