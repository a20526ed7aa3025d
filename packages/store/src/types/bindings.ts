// SPDX-License-Identifier: MIT
// A registration as it is kept, changed and watched.

/** Where packets to a contact or an upstream go. */
export interface Flow {
  transport: string
  address: string
  port: number
  /** Edge that holds the connection, with its incarnation; '' where any edge can send. */
  edgeId: string
  flowId: number
  /** Set where a NAT stands before a UDP contact: the edge that it knows, with its incarnation. */
  natEdge?: string | undefined
}

export interface Binding {
  uri: string
  /** Seconds left by store time, rounded up. */
  expiresS: number
  qMilli: number
  callId: string
  cseq: number
  instanceId: string
  regId: number
  flow: Flow | undefined
  path: string[]
  params: string
  userAgent: string
  /** Of the registration of its instance [RFC5627-5.1]; 0 without an instance. */
  registrationHash: number
}

export interface ContactUpdate {
  /** Equality of bindings: the canonical URI [RFC3261-19.1.4], or instance and reg-id [RFC5626-6]; the caller's to build. */
  uriKey: string
  uri: string
  /** 0 removes the binding. */
  expiresS: number
  qMilli: number
  instanceId: string
  regId: number
  flow: Flow | undefined
  path: readonly string[]
  params: string
}

export interface BindingUpdate {
  /** Canonical address-of-record. */
  aor: string
  callId: string
  cseq: number
  /** `Contact: *`. */
  removeAll: boolean
  /** Empty and not removeAll: a query. */
  contacts: readonly ContactUpdate[]
  /** Keys of bindings that go with this update, if they are there; not content of what the phone asked for, no key of `contacts`. */
  alsoRemove: readonly string[]
  /**
   * Given: the update is not applied where a binding has the user, host and port of a contact that is no binding yet, under a key that
   * is neither in this update nor among these. It ends as `compare`: [RFC3261-19.1.4] may call the two equal, and no key says so.
   */
  differ?: readonly string[]
  /** Bindings after the update, at most. */
  maxContacts: number
  /** Beyond that, the bindings that were updated longest ago go; else the update is refused. Never those of this update. */
  replaceOldest: boolean
  /** Names the registration that this update begins, where it begins one; 1 to 2^32 - 1. */
  registrationHash: number
  userAgent: string
}

export interface Bindings {
  /** By q, highest first; equal q: latest first. */
  bindings: Binding[]
  version: bigint
}

export type RegisterOutcome =
  /**
   * `added`: bindings that were not there before; 0 for a refresh, and for an update that came again.
   * `watched`: the update changed something that somebody watches; a notification is due.
   */
  | ({ result: 'ok'; added: number; watched?: true } & Bindings)
  /** Say with `alsoRemove` which of these take part, with `differ` which do not; nothing was changed. */
  | ({ result: 'compare' } & Bindings)
  /** The CSeq is not above that of a binding of the same Call-ID [RFC3261-10.3]; nothing was changed. */
  | { result: 'outOfOrder' }
  /** More than maxContacts; nothing was changed. */
  | { result: 'tooMany' }

/** A binding as those see it who tell watchers of it. */
export interface WatchedBinding extends Binding {
  uriKey: string
  /** End by store time. */
  untilMs: number
}

export interface RemovedBinding {
  uriKey: string
  callId: string
  cseq: number
}

/** The bindings of an AoR beside what its watchers have been told, at one moment. */
export interface Watch {
  /** Store time. */
  nowMs: number
  bindings: WatchedBinding[]
  /** Bindings removed within `tombstoneMs`, with the Call-ID and CSeq of what removed them; their own where another took their place. */
  removed: RemovedBinding[]
  /** Grows with every write and with every change of the bindings; 0 where nobody watches. */
  revision: number
  /** As last written; '' where nobody watches. */
  state: string
}

export interface WatchWrite {
  aor: string
  /** As read; another one means that something changed since. */
  revision: number
  /** Opaque to the store; '' ends the watch. */
  state: string
  /** When it is to be looked at again. A change of the bindings comes before that. */
  dueInMs: number
  /** It is forgotten this long after its last write. */
  keepMs: number
}

export interface DueWatches {
  aors: string[]
  /** More are due than `limit`. */
  more: boolean
  /** When the next one is due; undefined where none is watched. */
  nextInMs: number | undefined
}

export type ChangeKind = 'add' | 'refresh' | 'expire' | 'remove'

/**
 * Why: a REGISTER bound or refreshed it (`register`), it ran out (`expiry`), a REGISTER removed it (`unregister`), another contact took its
 * place (`replace`), an administrator removed it (`kick`), the edge that held its connection is gone for good (`disconnect`).
 */
export type ChangeCause = 'register' | 'expiry' | 'unregister' | 'replace' | 'kick' | 'disconnect'

export interface Change {
  aor: string
  kind: ChangeKind
  /** URI of the binding. */
  contact: string
  cause: ChangeCause
  version: bigint
}

export interface ChangePage {
  changes: Change[]
  /** Give it to the next read. */
  cursor: string
  /** Entries after the given cursor were trimmed unread: forget what is cached of this shard. */
  gap: boolean
}
