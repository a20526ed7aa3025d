// SPDX-License-Identifier: MIT
//
// A decision's view of a call, for rules against fraud.
import { type DomainSettings, dialledNumber, parsePhoneNumber, type UserEntry } from '@tandem/resources'
import type { policy, Result } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import type { ForwardedLegs } from '../decide/forwarded-legs.ts'
import type { Judgement } from '../decide/judgement.ts'
import type { Proven } from '../decide/proven.ts'
import { addressOf } from '../decide/uri-parts.ts'
import type { FraudCall, Proof } from './fraud-call.ts'

type Decision = Result<policy.DecideResponse>

/** What a decision knows when a call is about to go on record. */
export interface CallSubject {
  readonly judgement: Judgement
  readonly proven: Proven | undefined
  readonly speaker: UserEntry | undefined
  /** For which others pay; absent: none. */
  readonly legs?: ForwardedLegs
  /** Asks the caller for his credentials, or judges those that he sent, whatever else he is known by. */
  readonly askAgain: (judgement: Judgement, domain: DomainSettings, stale: boolean) => Decision | Promise<Decision>
}

/** Canonical, as it was dialled; '' for what is no number. */
function dialledOf({ uri, number }: Judgement): string {
  return number?.number ?? parsePhoneNumber(uri.telephone || uri.user)?.number ?? ''
}

export function callOf(context: PolicyContext, { judgement, proven, speaker }: CallSubject): FraudCall {
  const { request, domain, trunk, away, state } = judgement
  const dialled = dialledOf(judgement)
  const numberPlan = (speaker?.domain ?? domain)?.numberPlan
  const global = numberPlan === undefined || dialled.startsWith('+') ? '' : dialledNumber(numberPlan, dialled)
  const source = request.source?.address ?? ''
  // A user of ours may share his address with a trunk.
  const ingress = proven === undefined ? trunk?.name : undefined
  let country: string | undefined
  return {
    account: speaker?.account ?? '',
    subscriber: speaker?.aor ?? '',
    domain: (speaker?.domain ?? domain)?.name ?? '',
    source,
    trunk: ingress ?? (away ? state.fraud.trunkOfHost(judgement.maddr || judgement.uri.host) : ''),
    number: global || dialled,
    dialled: global === '' ? '' : dialled,
    caller: addressOf(request.from),
    callee: request.requestUri,
    country() {
      country ??= context.fraud.ports.countryOf(source) ?? ''
      return country
    },
  }
}

/** A token is fresh by itself; a digest is where its nonce was not used before. */
export function proofOf({ proven, speaker }: CallSubject): Proof {
  if (proven?.method === 'bearer') return 'fresh'
  if (proven?.method === 'digest') return proven.nonceCount <= 1 ? 'fresh' : 'asked'
  return speaker?.subscriber?.spec.credentials === undefined ? 'impossible' : 'possible'
}

/** 112 is never stopped, whatever prefix somebody dials before it is no emergency number. */
export function isEmergency({ settings }: PolicyContext, { judgement }: CallSubject): boolean {
  const { emergencyNumbers } = settings.fraud
  if (emergencyNumbers.length === 0) return false
  const { telephone, user } = judgement.uri
  const dialled = splitNumber(telephone || user)
  return dialled !== '' && emergencyNumbers.includes(dialled)
}

/** Digits before any parameter; '' for what is none. */
function splitNumber(text: string): string {
  const end = text.indexOf(';')
  const digits = (end < 0 ? text : text.slice(0, end)).replace(/[-.() ]/g, '')
  return /^\d{2,8}$/.test(digits) ? digits : ''
}
