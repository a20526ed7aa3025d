// SPDX-License-Identifier: MIT
//
// What a call by a trunk costs the cluster, whether somebody pays for it or not.
import type { policy } from '@tandem/rpc'
import { buyLines } from '../charging/buy-rates.ts'
import { buyCharge } from '../charging/charge-terms.ts'
import type { PolicyContext } from '../context.ts'

/** Number of a call that goes by a trunk, in canonical form; undefined of others. */
export function routedNumber({ verdict, facts }: policy.DecideResponse): string | undefined {
  if (verdict?.$case !== 'plan') return undefined
  return verdict.value.steps[0]?.targets[0]?.trunkLeg === undefined ? undefined : facts?.dialled
}

/** Of a call that nobody pays for: what its trunks cost. */
export function withCost(context: PolicyContext, response: policy.DecideResponse): policy.DecideResponse {
  const number = routedNumber(response)
  if (number === undefined || response.verdict?.$case !== 'plan') return response
  const charge = buyCharge(buyLines(context.state.index, response.verdict.value, number, context.now()))
  return charge === '' ? response : { ...response, charge }
}
