// SPDX-License-Identifier: MIT
//
// What rules against fraud look at of one call.
import { countryOfNumber, type FraudScope } from '@tandem/resources'

/** How far the caller has just proven who he is: `fresh` with a nonce that was made for this request. */
export type Proof = 'fresh' | 'asked' | 'possible' | 'impossible'

/** '' for what there is none of. */
export interface FraudCall {
  readonly account: string
  /** Of the caller, as `sip:user@domain`. */
  readonly subscriber: string
  /** Name of the caller's Domain; of a stranger's call that which is called. */
  readonly domain: string
  /** Address that it comes from, without brackets. */
  readonly source: string
  /** By which it comes, else by which it goes. */
  readonly trunk: string
  /** Canonical number that is called: the global one where the domain's number plan gives it. */
  readonly number: string
  /** The number as it was dialled, where that is another. */
  readonly dialled: string
  /** URIs of From and Request-URI. */
  readonly caller: string
  readonly callee: string
  /** Of the source; looked up when a rule asks. */
  country(): string
}

/** Number, or user and host where it is none: what counts as one destination. */
export const destinationOf = ({ number, callee }: FraudCall): string =>
  number || callee.replace(/^sips?:/, '').replace(/[;?\s].*$/s, '')

/** @param prefix of the number, for rules by prefix */
export function subjectOf(scope: FraudScope, call: FraudCall, prefix: string): string {
  switch (scope) {
    case 'account':
      return call.account
    case 'subscriber':
      return call.subscriber
    case 'source':
      return call.source
    case 'trunk':
      return call.trunk
    case 'destinationCountry':
      return countryOfNumber(call.number) ?? ''
    case 'country':
      return call.country()
    default:
      return prefix
  }
}
