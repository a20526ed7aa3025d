// SPDX-License-Identifier: MIT
//
// What a call by a trunk costs the cluster, whether somebody pays for it or not.
import type { policy } from '@tandem/rpc'
import { buyLines } from '../charging/buy-rates.ts'
import { buyCharge, withForwards } from '../charging/charge-terms.ts'
import { type Forwards, NO_FORWARDS } from '../charging/forwards.ts'
import type { PolicyContext } from '../context.ts'

/** Number of a call that goes by a trunk, in canonical form; undefined of others. */
export function routedNumber({ verdict, facts }: policy.DecideResponse): string | undefined {
  if (verdict?.$case !== 'plan') return undefined
  return verdict.value.steps[0]?.targets[0]?.trunkLeg === undefined ? undefined : facts?.dialled
}

/** Of a call that its caller does not pay for: what its trunks cost, and who pays for what he sends on. */
export function withCost(
  context: PolicyContext,
  response: policy.DecideResponse,
  { legs, others }: Forwards = NO_FORWARDS,
): policy.DecideResponse {
  const number = routedNumber(response) ?? (legs.size > 0 ? '' : undefined)
  if (number === undefined || response.verdict?.$case !== 'plan') return response
  const { index } = context.state
  const bought = buyCharge(buyLines(index, response.verdict.value, number, context.now(), legs))
  const charge = withForwards(bought, others, index.revision)
  return charge === '' ? response : { ...response, charge }
}
