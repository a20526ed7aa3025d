// SPDX-License-Identifier: MIT
//
// BlockLists at a decision: a call that one of them stops is refused with what the list says.
import type { BlockQuestion, PlanVerdict, UserEntry } from '@tandem/resources'
import { isAnonymous, userOf } from '../decide/identity.ts'
import type { Judgement } from '../decide/judgement.ts'
import { splitUri } from '../decide/uri-parts.ts'
import { dialledNumberOf, normalNumber, shownBy } from './number-call.ts'

const METHODS: ReadonlySet<string> = new Set(['INVITE', 'MESSAGE'])

const nameOf = (user: UserEntry | undefined): string =>
  user?.subscriber === undefined ? '' : `${user.subscriber.metadata.name}@${user.domain.name}`

/** Who of ours is reached first. */
function calledUser({ state }: Judgement, { steps }: PlanVerdict): UserEntry | undefined {
  const aor = steps[0]?.targets[0]?.aor ?? ''
  return aor === '' ? undefined : userOf(state.index, splitUri(aor))
}

export function blockQuestion(
  judgement: Judgement,
  verdict: PlanVerdict,
  speaker: UserEntry | undefined,
): BlockQuestion {
  const { state, from } = judgement
  const { index } = state
  const called = calledUser(judgement, verdict)
  const dialled = dialledNumberOf(judgement)
  return {
    callerDomain: speaker?.domain.name ?? '',
    caller: nameOf(speaker),
    calleeDomain: called?.domain.name ?? '',
    callee: nameOf(called),
    calledNumber: dialled === '' ? '' : normalNumber(index, judgement, dialled, speaker),
    callerNumber: shownBy(index, judgement, speaker),
    callerAddress: from.host === '' ? '' : `sip:${from.user}@${from.host.toLowerCase()}`,
    anonymous: isAnonymous(from) || from.user.toLowerCase() === 'anonymous',
  }
}

/** The verdict, or the refusal of the list that stops the call. */
export function unlessBlocked(judgement: Judgement, verdict: PlanVerdict, speaker: UserEntry | undefined): PlanVerdict {
  const { blocks } = judgement.state.index.routing
  if (blocks === undefined || verdict.kind !== 'plan' || !METHODS.has(judgement.request.method)) return verdict
  const blocked = blocks.find(blockQuestion(judgement, verdict, speaker))
  if (blocked === undefined) return verdict
  judgement.context.counts.blockedCalls++
  const { status, code, reason, key } = blocked
  const reasons = [...verdict.reasons, { resource: key, text: `stops the call with ${status}`, depth: 0 }]
  return { ...verdict, kind: 'reject', status, code, reason, steps: [], reasons }
}
