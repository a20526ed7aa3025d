// SPDX-License-Identifier: MIT
//
// What is kept of the watchers of one address-of-record (RFC 3680): its contacts as far as watchers know them, and the
// subscriptions with their dialogs. One text, written by compare-and-set, so that CSeq and version of a NOTIFY are given
// once, whichever node gives them. Times are the store's, in milliseconds since 1970.
import type { location } from '@tandem/rpc'

export interface KnownContact {
  readonly id: string
  /** The store's key of the binding. */
  readonly key: string
  readonly uri: string
  readonly instanceId: string
  qMilli: number
  callId: string
  cseq: number
  params: string
  /** First bound; 0 where nobody watched then. */
  sinceMs: number
  /** 0: never. */
  untilMs: number
  isActive: boolean
  event: ContactEvent
  /** Number of its last change. */
  change: number
}

/** [RFC3680-5.1]; `probation` and `rejected` are an administrator's, for whom there is no such verb. */
export type ContactEvent =
  | 'registered'
  | 'created'
  | 'refreshed'
  | 'shortened'
  | 'expired'
  | 'deactivated'
  | 'unregistered'

/** A NOTIFY on its way. */
export interface Pending {
  readonly cseq: number
  /** Changes up to this one are in it. */
  readonly change: number
  readonly edgeId: string
  readonly sinceMs: number
  readonly isFull: boolean
  /** It ends the subscription. */
  readonly isFinal: boolean
}

export interface Subscription {
  readonly callId: string
  readonly localTag: string
  readonly remoteTag: string
  readonly eventId: string
  /** Of the last SUBSCRIBE. */
  remoteCseq: number
  remoteTarget: string
  readonly routes: readonly string[]
  readonly localUri: string
  readonly remoteUri: string
  readonly contact: string
  flow: location.Flow | undefined
  /** The edge that took the last SUBSCRIBE. */
  edgeId: string
  untilMs: number
  /** CSeq and version of the last NOTIFY; -1 before the first. */
  cseq: number
  version: number
  /** Changes up to this one are with the watcher. */
  seen: number
  /** The next NOTIFY says everything: the watcher may have missed one. */
  isFullDue: boolean
  sentMs: number
  pending: Pending | undefined
  /** NOTIFYs in a row that failed. */
  failures: number
  /** Nothing is sent before this, but in answer to a SUBSCRIBE. */
  retryMs: number
  /** Why it ends; '' while it lives. */
  ending: '' | 'timeout'
}

export interface WatchState {
  /** Number of the last change of a contact. */
  change: number
  contacts: KnownContact[]
  subscriptions: Subscription[]
}

/** Contacts that are gone and that some watcher has not been told of, at most; beyond it watchers get full state. */
export const MAX_GONE = 100

const FORMAT = 1

export function createState(): WatchState {
  return { change: 0, contacts: [], subscriptions: [] }
}

/** '' when nobody watches any more. */
export function encodeState(state: WatchState): string {
  return state.subscriptions.length === 0 ? '' : JSON.stringify({ format: FORMAT, ...state })
}

/** A text of another format is as none: its watchers subscribe again when theirs runs out. */
export function decodeState(text: string): WatchState {
  if (text === '') return createState()
  const { format, ...state } = JSON.parse(text) as WatchState & { format: number }
  return format === FORMAT ? state : createState()
}
