// SPDX-License-Identifier: MIT
//
// A fraud event as it goes to records and to tools.
import type { records } from '@tandem/rpc'
import type { FraudEvent, FraudEventItem } from '@tandem/store'

export function toWire(event: FraudEvent): records.FraudEvent {
  const { at, ref, source, ...same } = event
  return { ...same, unixMs: BigInt(Math.trunc(at)), callRef: ref, sourceAddress: source }
}

export const toFeedItem = ({ id, event }: FraudEventItem): records.FeedItem => ({
  id,
  record: undefined,
  fraudEvent: toWire(event),
})
