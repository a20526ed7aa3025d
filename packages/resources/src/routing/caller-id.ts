// SPDX-License-Identifier: MIT
//
// Which number a trunk is told of a caller, and in which headers. From stays as the caller wrote it: a proxy never rewrites it.
import { addition, NO_EDITS, removal } from './header-edits.ts'
import { formatNumber } from './number-format.ts'
import { matchesPattern } from './number-pattern.ts'
import type { OutCall, PlanEdit } from './routed.ts'
import type { OutHost, OutTrunk } from './trunk-entry.ts'

/** @returns '' where there is none to show */
export function callerNumber({ callerId }: OutTrunk, { caller, shown, ownsShown }: OutCall): string {
  if (callerId === undefined || callerId.mode === 'passthrough') return shown
  const mayShow = ownsShown || (shown !== '' && callerId.allowed.some((one) => matchesPattern(one, shown)))
  return (mayShow ? shown : '') || caller.number || callerId.fallback
}

function addressOf(number: string, trunk: OutTrunk, { host }: OutHost): string {
  const place = trunk.callerId?.host || host
  if (place === 'tel' && number.startsWith('+')) return `tel:${number}`
  const user = formatNumber(number, number, trunk.numbersOut, trunk.numberPlan)
  return `sip:${escapeUser(user)}@${place === 'tel' ? host : place}`
}

/** `#` can't stand in a URI's user part. [RFC3261-25.1] */
export const escapeUser = (user: string): string => (user.includes('#') ? user.replaceAll('#', '%23') : user)

const callerValue = (header: string, address: string): string =>
  header === 'Diversion' ? `<${address}>;reason=unconditional` : `<${address}>`

/** Of the headers that can be named. */
const REMOVALS: Readonly<Record<string, PlanEdit>> = Object.fromEntries(
  ['P-Asserted-Identity', 'P-Preferred-Identity', 'Diversion'].map((name) => [name, removal(name)]),
)

const HIDDEN = addition('Privacy', 'id')

/**
 * @param number as `callerNumber` gave it
 * @param hides his identity is for the trunk alone [RFC3325-7]
 */
export function callerEdits(number: string, trunk: OutTrunk, host: OutHost, hides: boolean): readonly PlanEdit[] {
  const { callerId } = trunk
  if (callerId === undefined || number === '') return NO_EDITS
  const address = addressOf(number, trunk, host)
  const edits: PlanEdit[] = []
  for (const header of callerId.headers) {
    edits.push(REMOVALS[header] ?? removal(header), {
      operation: 'add',
      name: header,
      value: callerValue(header, address),
    })
  }
  if (hides) edits.push(HIDDEN)
  return edits
}
