// SPDX-License-Identifier: MIT
//
// Every reason for which location refuses an item. docs/location.md lists the same codes; a test compares them.
import { type Refused, refused } from '@tandem/rpc'

export interface LocationError {
  readonly meaning: string
  /** What to do. */
  readonly todo: string
  /** What an edge answers upstream. */
  readonly sipStatus: number
}

export const LOCATION_ERRORS = {
  star_not_alone: {
    sipStatus: 400,
    meaning: 'Contact: * needs Expires: 0 and no other contact',
    todo: 'Mend the phone: `Contact: *` stands alone, with Expires: 0.',
  },
  bad_contact: {
    sipStatus: 400,
    meaning: 'a contact is no URI that can be called',
    todo: 'Mend the phone: its Contact is no URI.',
  },
  bad_request: {
    sipStatus: 500,
    meaning: 'a field that the item needs is missing: a bug of the sender',
    todo: 'Report it: a bug, or an edge of another version.',
  },
  expires_too_brief: {
    sipStatus: 423,
    meaning: 'the interval is below the minimum',
    todo: 'Nothing: the phone comes again with the minimum. Else lower the minimum of the Domain.',
  },
  too_many_contacts: {
    sipStatus: 403,
    meaning: 'the address-of-record has no room for another contact',
    todo: 'Remove old ones (`tandem kick`), or raise the bound of the Domain.',
  },
  out_of_order: {
    sipStatus: 500,
    meaning: 'a binding was updated by this or a later CSeq of the same Call-ID',
    todo: 'Nothing: a REGISTER was late. If it stays, two phones share a Call-ID.',
  },
  subscription_unknown: {
    sipStatus: 481,
    meaning: 'no subscription has this dialog',
    todo: 'Nothing: the watcher subscribes anew.',
  },
  subscribe_out_of_order: {
    sipStatus: 500,
    meaning: 'the dialog has seen a later CSeq',
    todo: 'Nothing: a SUBSCRIBE was late.',
  },
  too_many_subscriptions: {
    sipStatus: 403,
    meaning: 'the address-of-record has no room for another watcher',
    todo: 'Look who watches; raise the bound if they are right.',
  },
  edge_superseded: {
    sipStatus: 503,
    meaning: 'a newer incarnation of this edge is a member; the asker is to stop',
    todo: 'Nothing: the old process of this edge ends.',
  },
  store_away: {
    sipStatus: 503,
    meaning: 'the store can not be reached; nothing was written',
    todo: 'See whether Redis answers: `tandem doctor`. It is tried again.',
  },
  store_refused: {
    sipStatus: 503,
    meaning: 'the store is up and took nothing: full, read-only, or unfit for a setting',
    todo: 'See `tandem doctor`: memory, `noeviction`, replicas, a read-only master.',
  },
  store_invalid: {
    sipStatus: 500,
    meaning: 'the item holds a value that can not be stored',
    todo: 'Report it with the log line.',
  },
} as const satisfies Record<string, LocationError>

export type LocationErrorCode = keyof typeof LOCATION_ERRORS

export function refusal(
  code: LocationErrorCode,
  detail: string = LOCATION_ERRORS[code].meaning,
  more: { retryAfterS?: number; minExpiresS?: number } = {},
): Refused {
  return refused(code, LOCATION_ERRORS[code].sipStatus, detail, more)
}
