// SPDX-License-Identifier: MIT
//
// Why a call failed, as its record and its line in the log say.
import type { ProxyContext } from '@tandem/sip'

/** `outcome` of a record (docs/records.md). @param status the final one of its INVITE, from 300 */
export function causeOf(context: ProxyContext, status: number): string {
  if (context.cancelled) return 'cancelled'
  if (status < 400) return 'redirected'
  const rang = context.branches.some((branch) => branch.provisional >= 180)
  if (status === 408) return 'unanswered'
  if (status === 480) return rang ? 'unanswered' : 'unreachable'
  if (context.branches.length === 0 && status < 500) return 'rejected'
  return status >= 500 && status < 600 ? 'error' : 'rejected'
}
