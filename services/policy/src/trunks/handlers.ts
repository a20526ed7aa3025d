// SPDX-License-Identifier: MIT
//
// What edges ask and tell of trunks: attempts, challenges, and requests that they sent in our name. Of a trunk that no resource names
// nothing is known.
import type { Done, policy, Refused } from '@tandem/rpc'
import { refusal } from '../errors.ts'

export const trunkAttempt = (_request: policy.TrunkAttemptRequest): Refused => refusal('unknown_trunk')

export const answerChallenge = (_request: policy.AnswerChallengeRequest): Refused => refusal('unknown_trunk')

/** Nothing waits for it: nothing was asked. */
export const sent = (_request: policy.SentRequest): Done<policy.SentResponse> => ({ outcome: 'done', value: {} })
