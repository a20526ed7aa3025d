// SPDX-License-Identifier: MIT
//
// A call that nobody makes, as rules against fraud would see it: who calls, whom, from where.
import {
  type DomainEntry,
  dialledNumber,
  findDomain,
  findUser,
  parsePhoneNumber,
  type ResourceIndex,
  type UserEntry,
} from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import type { FraudCall } from '../fraud/fraud-call.ts'

export interface TrialCall extends FraudCall {
  readonly speaker: UserEntry | undefined
}

interface Address {
  readonly user: string
  readonly host: string
}

/** `sip:user@host;p`, `tel:+49…`, `user@host` or a number. */
function addressIn(text: string): Address {
  const bare = text
    .trim()
    .replace(/^<|>$/g, '')
    .replace(/^(sips?|tel):/i, '')
  const at = bare.lastIndexOf('@')
  const end = (part: string): string => part.replace(/[;?>].*$/s, '')
  if (at < 0) return { user: end(bare), host: '' }
  return {
    user: end(bare.slice(0, at)),
    host: end(bare.slice(at + 1))
      .replace(/:\d+$/, '')
      .toLowerCase(),
  }
}

const numberOf = ({ user }: Address): string => parsePhoneNumber(user)?.number ?? ''

function globalOf(dialled: string, domain: DomainEntry | undefined): string {
  const plan = domain?.numberPlan
  return plan === undefined || dialled === '' || dialled.startsWith('+') ? '' : dialledNumber(plan, dialled)
}

export function trialCall(
  index: ResourceIndex,
  asked: policy.TryFraudRulesRequest,
  countryOf: (address: string) => string | undefined,
): TrialCall {
  const from = addressIn(asked.from)
  const to = addressIn(asked.to)
  const ours = findDomain(index, from.host)
  const speaker = ours && findUser(ours, from.user)
  const domain = ours ?? findDomain(index, to.host)
  const dialled = numberOf(to)
  const global = globalOf(dialled, domain)
  return {
    speaker,
    account: asked.account || (speaker?.account ?? ''),
    subscriber: speaker?.aor ?? '',
    domain: domain?.name ?? '',
    source: asked.source.replace(/^\[|\]$/g, ''),
    trunk: '',
    number: global || dialled,
    dialled: global === '' ? '' : dialled,
    caller: asked.from,
    callee: asked.to,
    country: () => countryOf(asked.source) ?? '',
  }
}
