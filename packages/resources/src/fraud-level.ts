// SPDX-License-Identifier: MIT
//
// The two levels of a measure and what each does. Every action but `log` makes an event; what an action needs (status,
// time of a block) stands beside it.
import { z } from 'zod'
import { headerText } from './account.ts'

export const FRAUD_ACTIONS = ['log', 'event', 'challenge', 'reject', 'blockAccount', 'endCalls'] as const

/**
 * `log`: a line, and the verdict of the record. `event`: also an event. `challenge`: the caller proves once more who he is.
 * `reject`: the call is refused. `blockAccount`: and so is every call of the account for `blockMs`. `endCalls`: the call is refused, and
 * those of the subject that run are ended.
 */
const fraudAction = z.enum(FRAUD_ACTIONS)
export type FraudAction = z.infer<typeof fraudAction>

const action = {
  action: fraudAction.default('event'),
  /** Of the refusal: 403 unless set. [RFC8197] [RFC8688] */
  status: z.literal([403, 404, 480, 486, 503, 603, 607, 608]).optional(),
  /** Text of the Reason header. [RFC3326-2] */
  reason: headerText.optional(),
  /** Text of a Warning header with code 399; none unless set. [RFC3261-20.43] */
  warning: headerText.optional(),
  /** Of blockAccount: an hour unless set. */
  blockMs: z
    .int()
    .min(1_000)
    .max(366 * 86_400_000)
    .optional(),
}

type Action = { readonly action: FraudAction; readonly status?: unknown; readonly blockMs?: unknown }

const REFUSING: ReadonlySet<FraudAction> = new Set(['challenge', 'reject', 'blockAccount', 'endCalls'])

const fits = ({ action: what, status, blockMs }: Action): boolean =>
  (status === undefined || REFUSING.has(what)) && (blockMs === undefined || what === 'blockAccount')

const NO_FIT = 'expected status only where a call is refused, blockMs only with blockAccount'

/** Of a measure that has a value. */
export function levelOf<T extends z.ZodType<number>>(above: T) {
  const level = z.strictObject({ above, ...action }).refine(fits, NO_FIT)
  return { warning: level.optional(), critical: level.optional() }
}

/** Of a measure that holds or does not. */
export function markOf() {
  const level = z.strictObject(action).refine(fits, NO_FIT)
  return { warning: level.optional(), critical: level.optional() }
}

/** Either level of any measure; `above` is 0 where the measure has no threshold. */
export type FraudLevelSpec = z.infer<z.ZodObject<typeof action>>
