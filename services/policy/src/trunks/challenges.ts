// SPDX-License-Identifier: MIT
//
// A trunk wants credentials for a call: they are worked out here and only the answer leaves. [RFC3261-22.3] [RFC7616-3.4]
// It is given only for a trunk that the call's frozen decision names, for at most MAX_ROUNDS challenges of an attempt; the
// realm is that of the settings where they name one. The same nonce for many calls is counted in the store, so that its count grows by one each time.
import { createHash, randomBytes } from 'node:crypto'
import { done, policy, type Result } from '@tandem/rpc'
import { answerChallenge as answer, chooseChallenges, type DigestChallenge } from '@tandem/sip'
import { shardOfReference } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { refusal } from '../errors.ts'
import type { TrunkCredentials } from './trunk-terms.ts'

type Answered = Result<policy.AnswerChallengeResponse>

const MAX_ROUNDS = 2
/** One value of a header, as an edge takes it. */
const MAX_CHALLENGE_CHARS = 8_192
const MAX_CHALLENGES = 8
/** A nonce that nobody used this long is a new one. */
const NONCE_KEEP_MS = 3_600_000
const CNONCE_BYTES = 12
const NOTHING: Answered = done({ credentials: [] })

export interface Challenged {
  readonly method: string
  readonly uri: string
  readonly body: Uint8Array
}

export const newCnonce = (): string => randomBytes(CNONCE_BYTES).toString('base64url')

/** How often this nonce was used, this time too. Without the store it counts as new: the trunk will say so if it is not. */
async function countOf(context: PolicyContext, trunk: string, { nonce, realm }: DigestChallenge): Promise<number> {
  const id = createHash('sha256').update(`${realm}\n${nonce}`).digest('base64url')
  const counted = await context.trunkStore.countNonce(trunk, id, NONCE_KEEP_MS)
  return context.health.see(counted) ? counted.value : 1
}

/** Values of Authorization or Proxy-Authorization; empty: none of the challenges can be answered. */
export async function credentialsFor(
  context: PolicyContext,
  trunk: string,
  { username, password, realm }: TrunkCredentials,
  challenges: readonly string[],
  { method, uri, body }: Challenged,
): Promise<string[]> {
  const readable = challenges.slice(0, MAX_CHALLENGES).filter((value) => value.length <= MAX_CHALLENGE_CHARS)
  const answers: string[] = []
  for (const challenge of chooseChallenges(readable, realm)) {
    const count = challenge.qop === '' ? 1 : await countOf(context, trunk, challenge)
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    const said = { username, password: password.reveal(), method, uri, count, cnonce: newCnonce(), body: bytes }
    answers.push(answer(challenge, said))
  }
  return answers
}

const namesTrunk = (targets: readonly policy.Target[], trunk: string): boolean =>
  targets.some(({ trunkLeg, trunk: named }) => (trunkLeg?.trunk ?? named) === trunk)

/** Whether the decision on this call has the trunk among its targets. */
async function isOnTrunk(context: PolicyContext, ref: string, trunk: string): Promise<boolean> {
  const live = await context.store.readLive(ref)
  if (!context.health.see(live) || live.value === undefined || live.value.transactionKey === '') return false
  const minted = await context.store.readMint(live.value.transactionKey)
  if (!context.health.see(minted) || minted.value?.ref !== ref) return false
  const { verdict } = policy.DecideResponse.decode(minted.value.decision)
  return verdict?.$case === 'plan' && verdict.value.steps.some(({ targets }) => namesTrunk(targets, trunk))
}

export async function answerChallenge(
  context: PolicyContext,
  request: policy.AnswerChallengeRequest,
): Promise<Answered> {
  const { callRef, trunk, round, method, requestUri, challenges, body } = request
  const terms = context.trunks.terms.get(trunk)
  if (terms === undefined) return refusal('unknown_trunk')
  if (shardOfReference(callRef) < 0) return refusal('bad_reference')
  const { counts } = context
  counts.trunkChallenges++
  if (terms.credentials === undefined || round >= MAX_ROUNDS || !(await isOnTrunk(context, callRef, trunk))) {
    counts.trunkChallengesRefused++
    return NOTHING
  }
  const asked = { method, uri: requestUri, body }
  const credentials = await credentialsFor(context, trunk, terms.credentials, challenges, asked)
  if (credentials.length === 0) counts.trunkChallengesRefused++
  return done({ credentials })
}
