// SPDX-License-Identifier: MIT
//
// What users of a domain mean by the digits that they dial, and which of them are for emergencies.
import { dialledNumber, type NumberPlan } from '../phone-number.ts'

/** The way of emergency calls of a number plan. */
export interface EmergencyWay {
  /** `NumberPlan/germany` */
  readonly key: string
  readonly numbers: ReadonlySet<string>
  readonly trunkGroup: string
  readonly trunk: string
}

/** A number that goes to the network: in E.164 where the plan gives it, else as dialled, without what is dialled for an outside line. */
export function networkNumber(plan: NumberPlan | undefined, dialled: string): string {
  if (plan === undefined || dialled.startsWith('+')) return dialled
  const global = dialledNumber(plan, dialled)
  if (global !== '') return global
  const { outsideLine = '' } = plan
  return outsideLine !== '' && dialled.startsWith(outsideLine) && dialled.length > outsideLine.length
    ? dialled.slice(outsideLine.length)
    : dialled
}

/** The emergency number that was dialled, with or without the digits for an outside line; '' for none. */
export function emergencyNumber(
  { numbers }: EmergencyWay,
  plan: Pick<NumberPlan, 'outsideLine'> | undefined,
  dialled: string,
): string {
  if (numbers.has(dialled)) return dialled
  const { outsideLine = '' } = plan ?? {}
  const rest = outsideLine !== '' && dialled.startsWith(outsideLine) ? dialled.slice(outsideLine.length) : ''
  return numbers.has(rest) ? rest : ''
}
