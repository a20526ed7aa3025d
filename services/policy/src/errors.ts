// SPDX-License-Identifier: MIT
//
// Every reason for which policy rejects a request (a verdict: it stands in `Reject.code`) or refuses an item (nothing was
// decided). docs/policy.md lists the same codes; a test compares them.
import { type Refused, refused } from '@tandem/rpc'

export interface PolicyError {
  readonly meaning: string
  /** What an edge answers upstream. */
  readonly sipStatus: number
  /** `reject`: the request was judged; `refuse`: it was not, a retry may help. */
  readonly kind: 'reject' | 'refuse'
}

export const POLICY_ERRORS = {
  bad_uri: { kind: 'reject', sipStatus: 400, meaning: 'the Request-URI is no URI that can be read' },
  unsupported_scheme: { kind: 'reject', sipStatus: 416, meaning: 'the Request-URI is neither sip, sips nor tel' },
  relay_refused: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'the Request-URI leads out of this cluster, and the sender may not relay there',
  },
  method_not_allowed: {
    kind: 'reject',
    sipStatus: 405,
    meaning: 'a request for the cluster itself that is neither OPTIONS nor REGISTER',
  },
  digest_uri_mismatch: { kind: 'reject', sipStatus: 400, meaning: 'the credentials were made for another Request-URI' },
  not_your_address: { kind: 'reject', sipStatus: 403, meaning: 'REGISTER for an address-of-record of somebody else' },
  not_your_identity: { kind: 'reject', sipStatus: 403, meaning: 'From is not the authenticated user' },
  unknown_address: { kind: 'reject', sipStatus: 404, meaning: 'REGISTER for an address-of-record that is no user' },
  unknown_user: { kind: 'reject', sipStatus: 404, meaning: 'nobody of the domain has this user' },
  unknown_number: { kind: 'reject', sipStatus: 404, meaning: 'nobody has this telephone number' },
  no_route: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'routes lead to the number, but none is open to this caller now',
  },
  no_trunk: {
    kind: 'reject',
    sipStatus: 503,
    meaning: 'every trunk that leads to the number is full, has failed too often or is switched off',
  },
  route_refused: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'the route of the number refuses it, with a status of its own',
  },
  destination_refused: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'where the call leads refuses it, with a status of its own',
  },
  destination_loop: { kind: 'reject', sipStatus: 482, meaning: 'destinations lead to one another without end' },
  blocked: { kind: 'reject', sipStatus: 403, meaning: 'a BlockList stops the call, with a status of its own' },
  logged_in: {
    kind: 'reject',
    sipStatus: 480,
    meaning: 'a feature code: the member has logged in; the reason phrase says where',
  },
  logged_out: {
    kind: 'reject',
    sipStatus: 480,
    meaning: 'a feature code: the member has logged out; the reason phrase says where',
  },
  not_a_member: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'who wants to log in to a hunt group, or out, is no member of one that has logins',
  },
  unknown_group: { kind: 'refuse', sipStatus: 404, meaning: 'no hunt group of this name has logins or idle times' },
  unknown_gruu: { kind: 'reject', sipStatus: 404, meaning: 'the GRUU names no instance of a subscriber' },
  not_your_registrations: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'SUBSCRIBE to the registrations of somebody else',
  },
  credit_exhausted: { kind: 'reject', sipStatus: 402, meaning: 'the balance of the account does not pay for the call' },
  spend_cap: { kind: 'reject', sipStatus: 402, meaning: 'the account has spent its hour or day' },
  account_blocked: { kind: 'reject', sipStatus: 403, meaning: 'the account is blocked' },
  too_many_calls: { kind: 'reject', sipStatus: 403, meaning: 'the account has as many calls as it may' },
  call_rate: { kind: 'reject', sipStatus: 403, meaning: 'the account begins more calls in a second than it may' },
  no_rate: { kind: 'reject', sipStatus: 403, meaning: 'the rate plan of the account has no price for the number' },
  account_currency: { kind: 'reject', sipStatus: 403, meaning: 'the balance and the rate plan are of two currencies' },
  fraud: { kind: 'reject', sipStatus: 403, meaning: 'a rule against fraud stops the request' },
  insecure_transport: {
    kind: 'reject',
    sipStatus: 403,
    meaning: 'the domain takes tokens alone, and only over TLS or secure WebSockets',
  },
  banned: { kind: 'reject', sipStatus: 403, meaning: 'banned for wrong passwords: the user, or all from there' },
  not_decided: {
    kind: 'reject',
    sipStatus: 481,
    meaning: 'ACK and CANCEL belong to a transaction and are never judged',
  },
  bad_attempt: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'an attempt at a trunk without phase or call reference, or beyond the attempts of a call',
  },
  unknown_trunk: { kind: 'refuse', sipStatus: 404, meaning: 'no trunk has this name' },
  store_away: {
    kind: 'refuse',
    sipStatus: 503,
    meaning: 'the store can not be reached; nothing was decided or written',
  },
  bad_request: { kind: 'refuse', sipStatus: 400, meaning: 'a decision was asked without the key of its transaction' },
  bad_report: { kind: 'refuse', sipStatus: 400, meaning: 'a report without reference, call or event' },
  bad_reference: { kind: 'refuse', sipStatus: 400, meaning: 'no call can have this reference' },
  bad_call_id: { kind: 'refuse', sipStatus: 400, meaning: 'a Call-ID of 1 to 255 printable characters is asked for' },
  bad_filter: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'a filter of messages names a Call-ID, a source or a user, `log` or `hep`, and a time of a day at most',
  },
  too_many_questions: { kind: 'refuse', sipStatus: 503, meaning: 'too many people ask the edges at once: try again' },
  bad_reason: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'the reason is no value of a Reason header, or longer than 200 characters',
  },
  unknown_account: { kind: 'refuse', sipStatus: 404, meaning: 'there is no such account' },
  bad_top_up: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'the amount is not positive or leads out of the bounds of a balance, or the key is none',
  },
  top_up_conflict: { kind: 'refuse', sipStatus: 409, meaning: 'the key was used for another amount' },
  top_up_currency: { kind: 'refuse', sipStatus: 409, meaning: 'the balance is of another currency' },
  ledger_not_empty: {
    kind: 'refuse',
    sipStatus: 409,
    meaning: 'a checkpoint is for an account that has no ledger yet',
  },
  bad_restore: {
    kind: 'refuse',
    sipStatus: 400,
    meaning: 'more than 500 entries at once, an entry that is none, or a balance out of its bounds',
  },
  bad_cursor: { kind: 'refuse', sipStatus: 400, meaning: 'the cursor of a list is none that was given' },
  bad_ban: { kind: 'refuse', sipStatus: 400, meaning: 'no IP address, or a time below a second or above 30 days' },
  ban_not_allowed: {
    kind: 'refuse',
    sipStatus: 409,
    meaning: 'the address is in `policy.bans.allow`, or bans are switched off',
  },
  internal: { kind: 'refuse', sipStatus: 500, meaning: 'a bug; it was logged and counted' },
} as const satisfies Record<string, PolicyError>

export type PolicyErrorCode = keyof typeof POLICY_ERRORS

export function refusal(code: PolicyErrorCode, retryAfterS = 0): Refused {
  return refused(code, POLICY_ERRORS[code].sipStatus, POLICY_ERRORS[code].meaning, { retryAfterS })
}
