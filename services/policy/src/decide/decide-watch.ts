// SPDX-License-Identifier: MIT
//
// SUBSCRIBE to the registrations of an address-of-record (event `reg`): its own user may watch it, nobody else.
// [RFC3680-4.6a] [RFC3680-4.6b] Other packages go to the phones, which are their notifiers.
import { findNumber, findUser, type UserEntry } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import { isRegistrars, type Judgement } from './judgement.ts'
import { callerOf, NOBODY, reject, watch } from './verdicts.ts'

export const asksForRegistrations = ({ method, event }: policy.DecideRequest): boolean =>
  method === 'SUBSCRIBE' && event === 'reg'

/** The cluster is the user agent that is asked, not a proxy: registrar, or notifier. [RFC3261-22.1a] [RFC6665-4.2.1.3] */
export const endsHere = (judgement: Judgement): boolean =>
  isRegistrars(judgement) || (asksForRegistrations(judgement.request) && !judgement.away)

function watched({ uri, number, domain }: Judgement): UserEntry | undefined {
  if (domain === undefined) return undefined
  return number === undefined ? findUser(domain, uri.user) : findNumber(domain, number.number)
}

/** @param speaker who asks; undefined for a stranger */
export function decideWatch(judgement: Judgement, speaker: UserEntry | undefined): policy.DecideResponse {
  const user = watched(judgement)
  const caller = speaker === undefined ? NOBODY : callerOf(speaker)
  if (user === undefined) return reject('unknown_user', caller)
  return user === speaker ? watch(user, caller) : reject('not_your_registrations', caller)
}
