// SPDX-License-Identifier: MIT
//
// How a trunk writes telephone numbers: E.164 with or without +, national or international as people of a country dial,
// with digits cut and put in front. Between the trunk's form and the cluster's, which is E.164 wherever a number has one.
import { z } from 'zod'
import { dialledNumber, type NumberPlan } from '../phone-number.ts'

export const numberFormat = z
  .strictObject({
    form: z.enum(['e164', 'e164WithoutPlus', 'national', 'international', 'asDialled']).default('e164'),
    /** Characters cut from the front: of what comes, first; of what goes, after the form. */
    strip: z.int().min(0).max(15).default(0),
    /** Put in front after that. */
    prefix: z
      .string()
      .regex(/^[0-9+*#]{0,15}$/, 'expected at most 15 digits')
      .default(''),
  })
  .prefault({})
export type NumberFormat = z.infer<typeof numberFormat>

const isGlobal = (number: string): boolean => number.charCodeAt(0) === 43

/** `+4930123` as somebody of the country dials it: `030123`, or `0049...` for other countries. */
function nationalForm(number: string, { country, national, international }: NumberPlan): string {
  if (number.startsWith(country)) return national + number.slice(country.length)
  return international + number.slice(1)
}

function formOf(number: string, form: NumberFormat['form'], plan: NumberPlan | undefined): string {
  if (!isGlobal(number)) return number
  switch (form) {
    case 'e164WithoutPlus':
      return number.slice(1)
    case 'national':
      return plan === undefined ? number : nationalForm(number, plan)
    case 'international':
      return (plan?.international ?? '00') + number.slice(1)
    default:
      return number
  }
}

/**
 * A number as the trunk wants it.
 *
 * @param number canonical
 * @param dialled canonical, before the caller's number plan; for the form `asDialled`
 * @param plan of the trunk
 */
export function formatNumber(
  number: string,
  dialled: string,
  { form, strip, prefix }: NumberFormat,
  plan: NumberPlan | undefined,
): string {
  const formed = form === 'asDialled' ? dialled : formOf(number, form, plan)
  return prefix + (strip === 0 ? formed : formed.slice(strip))
}

/** A number as the cluster has it, of one that a trunk has sent. @param number canonical */
export function readNumber(
  number: string,
  { form, strip, prefix }: NumberFormat,
  plan: NumberPlan | undefined,
): string {
  const cut = prefix + (strip === 0 ? number : number.slice(strip))
  if (cut === '' || isGlobal(cut) || form === 'asDialled' || form === 'e164') return cut
  if (form === 'e164WithoutPlus') return `+${cut}`
  const global = plan === undefined ? '' : dialledNumber(plan, cut)
  return global || cut
}
