// SPDX-License-Identifier: MIT
//
// Every reason for which policy rejects a request (a verdict: it stands in `Reject.code`) or refuses an item (nothing was
// decided). docs/policy.md lists the same codes; a test compares them.
import { type Refused, refused } from '@tandem/rpc'

export interface PolicyError {
  readonly meaning: string
  /** What to do. */
  readonly todo: string
  /** What an edge answers upstream. */
  readonly sipStatus: number
  /** `reject`: the request was judged; `refuse`: it was not, a retry may help. */
  readonly kind: 'reject' | 'refuse'
}

export const POLICY_ERRORS = {
  bad_uri: {
    kind: 'reject',
    sipStatus: 400,
    meaning: 'the Request-URI is no URI that can be read',
    todo: 'Look at what the phone dials; `tandem trace` shows it.',
  },
  unsupported_scheme: {
    kind: 'reject',
    sipStatus: 416,
    meaning: 'the Request-URI is neither sip, sips nor tel',
    todo: 'Dial a sip, sips or tel URI.',
  },
  relay_refused: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'the Request-URI leads out of this cluster, and the sender may not relay there',
    todo: 'Add the Domain, or let the caller relay (a Route, or a Trunk that is let in).',
  },
  method_not_allowed: {
    kind: 'reject',
    sipStatus: 405,
    meaning: 'a request for the cluster itself that is neither OPTIONS nor REGISTER',
    todo: 'Send it to a user, not to the cluster.',
  },
  digest_uri_mismatch: {
    kind: 'reject',
    sipStatus: 400,
    meaning: 'the credentials were made for another Request-URI',
    todo: 'Look for something in between that rewrites the Request-URI.',
  },
  not_your_address: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'REGISTER for an address-of-record of somebody else',
    todo: 'Let the phone register as the user whose password it has.',
  },
  not_your_identity: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'From is not the authenticated user',
    todo: 'Set the From of the phone to its user, or allow it to the Subscriber or Trunk.',
  },
  unknown_address: {
    kind: 'reject',
    sipStatus: 404,
    meaning: 'REGISTER for an address-of-record that is no user',
    todo: 'Add a Subscriber, or correct the address that the phone registers.',
  },
  unknown_user: {
    kind: 'reject',
    sipStatus: 404,
    meaning: 'nobody of the domain has this user',
    todo: 'Add a Subscriber, alias or HuntGroup; `tandem route-test` tries it.',
  },
  unknown_number: {
    kind: 'reject',
    sipStatus: 404,
    meaning: 'nobody has this telephone number',
    todo: 'Add a Number or a Route; `tandem route-test` tries it.',
  },
  no_route: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'routes lead to the number, but none is open to this caller now',
    todo: 'See which condition of the routes fails: `tandem route-test`.',
  },
  no_trunk: {
    kind: 'reject',
    sipStatus: 503,
    meaning: 'every trunk that leads to the number is full, has failed too often or is switched off',
    todo: 'See `tandem trunks`: places, breakers, registration.',
  },
  route_refused: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'the route of the number refuses it, with a status of its own',
    todo: 'Nothing, or change the Route.',
  },
  destination_refused: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'where the call leads refuses it, with a status of its own',
    todo: 'Nothing, or change where the Number leads.',
  },
  destination_loop: {
    kind: 'reject',
    sipStatus: 482,
    meaning: 'destinations lead to one another without end',
    todo: 'Mend the destinations; `tandem route-test` lists the steps.',
  },
  blocked: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'a BlockList stops the call, with a status of its own',
    todo: 'Nothing, or change the BlockList.',
  },
  forwarding_refused: {
    kind: 'reject',
    sipStatus: 480,
    meaning: 'the call would be sent on, and the account of who does so can not pay for it',
    todo: 'Top the account up, or raise its limit; `tandem route-test` names it.',
  },
  logged_in: {
    kind: 'reject',
    sipStatus: 480,
    meaning: 'a feature code: the member has logged in; the reason phrase says where',
    todo: 'Nothing: it is how a phone is told.',
  },
  logged_out: {
    kind: 'reject',
    sipStatus: 480,
    meaning: 'a feature code: the member has logged out; the reason phrase says where',
    todo: 'Nothing: it is how a phone is told.',
  },
  not_a_member: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'who wants to log in to a hunt group, or out, is no member of one that has logins',
    todo: 'Make him a member of the HuntGroup, with logins.',
  },
  unknown_group: {
    kind: 'refuse',
    sipStatus: 404,
    meaning: 'no hunt group of this name has logins or idle times',
    todo: 'Correct the name; `tandem get hunt-groups` lists them.',
  },
  unknown_gruu: {
    kind: 'reject',
    sipStatus: 404,
    meaning: 'the GRUU names no instance of a subscriber',
    todo: 'Let the caller use the address-of-record; the Subscriber is gone.',
  },
  not_your_registrations: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'SUBSCRIBE to the registrations of somebody else',
    todo: 'Give the watcher a role that may watch others.',
  },
  credit_exhausted: {
    kind: 'reject',
    sipStatus: 402,
    meaning: 'the balance of the account does not pay for the call',
    todo: '`tandem topup`.',
  },
  spend_cap: {
    kind: 'reject',
    sipStatus: 402,
    meaning: 'the account has spent its hour or day',
    todo: 'Wait, or raise the bound of the Account.',
  },
  account_blocked: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'the account is blocked',
    todo: '`tandem unblock`, or the Account of the resources.',
  },
  too_many_calls: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'the account has as many calls as it may',
    todo: 'Wait, or raise the bound of the Account; `tandem calls` lists them.',
  },
  call_rate: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'the account begins more calls in a second than it may',
    todo: 'Wait, or raise the bound of the Account.',
  },
  no_rate: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'the rate plan of the account has no price for the number',
    todo: 'Add the prefix to the RatePlan.',
  },
  account_currency: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'the balance and the rate plan are of two currencies',
    todo: 'Give the Account a RatePlan of its currency.',
  },
  fraud: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'a rule against fraud stops the request',
    todo: '`tandem fraud events` says which rule; change it where it is wrong.',
  },
  insecure_transport: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'the domain takes tokens alone, and only over TLS or secure WebSockets',
    todo: 'Let the phone use TLS or WSS.',
  },
  banned: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'banned for wrong passwords: the user, or all from there',
    todo: '`tandem bans`; `tandem bans lift` ends one.',
  },
  not_decided: {
    kind: 'reject',
    sipStatus: 481,
    meaning: 'ACK and CANCEL belong to a transaction and are never judged',
    todo: 'Nothing: such a request belongs to nothing here.',
  },
  bad_attempt: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'an attempt at a trunk without phase or call reference, or beyond the attempts of a call',
    todo: 'Report it: a bug, or an edge of another version.',
  },
  unknown_trunk: {
    kind: 'refuse',
    sipStatus: 404,
    meaning: 'no trunk has this name',
    todo: 'Correct the name; `tandem trunks` lists them.',
  },
  store_away: {
    kind: 'refuse',
    sipStatus: 503,
    meaning: 'the store can not be reached; nothing was decided or written',
    todo: 'See whether Redis answers: `tandem doctor`. It is tried again.',
  },
  bad_request: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'a decision was asked without the key of its transaction',
    todo: 'Report it: a bug, or an edge of another version.',
  },
  bad_report: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'a report without reference, call or event',
    todo: 'Report it: a bug, or an edge of another version.',
  },
  bad_reference: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'no call can have this reference',
    todo: 'Take the reference from `tandem calls`.',
  },
  bad_call_id: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'a Call-ID of 1 to 255 printable characters is asked for',
    todo: 'Take the Call-ID from a log line or a record.',
  },
  bad_filter: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'a filter of messages names a Call-ID, a source or a user, `log` or `hep`, and a time of a day at most',
    todo: 'Correct the filter: `tandem filter add --help`.',
  },
  too_many_questions: {
    kind: 'refuse',
    sipStatus: 503,
    meaning: 'too many people ask the edges at once: try again',
    todo: 'Try again in some seconds.',
  },
  bad_reason: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'the reason is no value of a Reason header, or longer than 200 characters',
    todo: 'Give a shorter text, or a whole value of a Reason header.',
  },
  unknown_account: {
    kind: 'refuse',
    sipStatus: 404,
    meaning: 'there is no such account',
    todo: 'Correct the name; `tandem get accounts` lists them.',
  },
  bad_top_up: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'the amount is not positive or leads out of the bounds of a balance, or the key is none',
    todo: 'Give a positive amount in units of the currency, and a key.',
  },
  top_up_conflict: {
    kind: 'refuse',
    sipStatus: 409,
    meaning: 'the key was used for another amount',
    todo: 'Use another key for another payment.',
  },
  top_up_currency: {
    kind: 'refuse',
    sipStatus: 409,
    meaning: 'the balance is of another currency',
    todo: 'Give the amount in the currency of the balance.',
  },
  ledger_not_empty: {
    kind: 'refuse',
    sipStatus: 409,
    meaning: 'a checkpoint is for an account that has no ledger yet',
    todo: 'Nothing: what the store has stays as it is.',
  },
  bad_restore: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'more than 500 entries at once, an entry that is none, or a balance out of its bounds',
    todo: 'Report it: the copy holds what no ledger can have.',
  },
  bad_cursor: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'the cursor of a list is none that was given',
    todo: 'Begin the list anew.',
  },
  bad_ban: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'no IP address, or a time below a second or above 30 days',
    todo: 'Give an IP address, and a time of a second to 30 days.',
  },
  ban_not_allowed: {
    kind: 'refuse',
    sipStatus: 409,
    meaning: 'the address is in `policy.bans.allow`, or bans are switched off',
    todo: 'Take the address out of `policy.bans.allow`, or switch bans on.',
  },
  internal: {
    kind: 'refuse',
    sipStatus: 500,
    meaning: 'a bug; it was logged and counted',
    todo: 'Report it with the log line.',
  },
} as const satisfies Record<string, PolicyError>

export type PolicyErrorCode = keyof typeof POLICY_ERRORS

export function refusal(code: PolicyErrorCode, retryAfterS = 0): Refused {
  return refused(code, POLICY_ERRORS[code].sipStatus, POLICY_ERRORS[code].meaning, { retryAfterS })
}
