// SPDX-License-Identifier: MIT
//
// What a refusal by policy says besides its status: Reason [RFC3326-2] and Warning [RFC3261-20.43]. Policy may be somebody else's
// service: a text that could not stand in a quoted string is left out.
import type { policy } from '@tandem/rpc'
import type { EdgeCore } from '../core.ts'

const QUOTABLE = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}$/

/** [RFC3261-25.1] */
const agentOf = (host: string): string => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)

/** Header lines, '' for none. */
export function refusalTexts(
  { config }: Pick<EdgeCore, 'config'>,
  { status, reasonText, warningText }: policy.Reject,
): string {
  const isQuotable = (text: string | undefined): text is string => text !== undefined && QUOTABLE.test(text)
  const reason = isQuotable(reasonText) ? `Reason: SIP;cause=${status};text="${reasonText}"\r\n` : ''
  // [RFC3261-20.43] 399: any text, from the one who adds it.
  return isQuotable(warningText)
    ? `${reason}Warning: 399 ${agentOf(config.advertisedAddress)} "${warningText}"\r\n`
    : reason
}
