// SPDX-License-Identifier: MIT
// Plain shapes that go into and come out of a store. Field names are those of proto/tandem/*/v1, so that services map them
// without thought; times that leave the store are bigint milliseconds since 1970 as in the protos, durations are numbers.

import type { ChargedCall } from './charges.ts'

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
  /** `watched`: the update changed something that somebody watches; a notification is due. */
  | ({ result: 'ok'; watched?: true } & Bindings)
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

export interface Branch {
  id: string
  uri: string
  nextHop: Flow | undefined
  provisionalStatus: number
  finalStatus: number
}

/** A call in set-up, as the directory is told. The bytes are kept as given: the caller gives them away. */
export interface NewCall {
  transactionKey: string
  owner: string
  invite: Uint8Array
  upstream: Flow | undefined
  plan: Uint8Array
  step: number
  branches: readonly Branch[]
  callRef: string
  /** The entry ends this long after its last update. */
  leaseMs: number
}

export interface CallEntry {
  transactionKey: string
  owner: string
  epoch: number
  invite: Uint8Array
  upstream: Flow | undefined
  plan: Uint8Array
  step: number
  branches: Branch[]
  callRef: string
  /** 0 until endCall. */
  finalStatus: number
}

export interface BeginCallOutcome {
  /** The asker owns the entry, unended, from now or by an earlier try of this same begin (`repeated`). */
  created: boolean
  repeated: boolean
  owner: string
  epoch: number
}

export interface CallUpdate {
  transactionKey: string
  owner: string
  epoch: number
  step: number
  /** Added or changed by id; none renews the lease. */
  branches: readonly Branch[]
}

export interface CallEnd {
  transactionKey: string
  owner: string
  epoch: number
  finalStatus: number
  keepMs: number
}

export interface CallAdoption {
  transactionKey: string
  /** Owner and epoch as the adopter knows them. */
  owner: string
  epoch: number
  newOwner: string
  leaseMs: number
}

export interface AdoptOutcome {
  adopted: boolean
  /** The entry after the attempt; undefined where there is none. */
  entry: CallEntry | undefined
}

export interface Edge {
  /** "<name>.<incarnation>". */
  id: string
  name: string
  /** Base 36, larger after each start. */
  incarnation: string
  internalAddress: string
  internalPort: number
  listeners: string[]
  draining: boolean
  version: string
}

export interface EdgeList {
  /** Grows when an edge joins, leaves, changes, becomes unreachable or is replaced; not when a lease is renewed. */
  revision: bigint
  /** Edges whose lease holds. */
  edges: Edge[]
  /** Lease over while the store was up, or revoked: unreachable, not dead; gone after `edgeKeepMs`. */
  unreachable: { edge: Edge; forMs: number }[]
  /** Ids of edges that are gone for good, until their bindings are removed: a newer incarnation leased, or they were away for `edgeKeepMs`. */
  gone: string[]
}

/** What a location node says of itself: who has a stream open to it. */
export interface NodeStreams {
  /** Of this start of the node. */
  node: string
  streams: readonly NodeStream[]
}

export interface NodeStream {
  /** Id or name of an edge. */
  peer: string
  /** Larger for a stream of this peer that was opened later. */
  opened: number
}

export interface EdgeRemoval {
  removed: number
  more: boolean
  /** Somebody watches one of them. */
  watched: boolean
}

export interface RevokeOutcome {
  /** The edge was a member, and is unreachable from now. */
  revoked: boolean
  list: EdgeList
}

export interface LeaseOutcome {
  /** False: a newer incarnation of this name is a member, and the asker is to stop; or its bindings are being removed this very moment. */
  accepted: boolean
  list: EdgeList
}

export interface Source {
  transport: string
  address: string
  port: number
}

export interface Attempt {
  target: string
  status: number
  provisionalStatus: number
}

/** An age that the reporter does not know. */
export const AGE_UNKNOWN = 0xffffffff

/** A call as its reporter knows it; '' where it does not know. */
export interface CallDescription {
  callId: string
  fromTag: string
  fromUri: string
  toUri: string
  requestUri: string
  source: Source | undefined
  identity: string
  account: string
  edgeId: string
  userAgent: string
  /** Ages in milliseconds when sent, or AGE_UNKNOWN. */
  setupAgeMs: number
  ringAgeMs: number
  attempts: readonly Attempt[]
  /** How the call is charged; opaque to the store, '' or absent for not at all. */
  charge?: string | undefined
}

/** What happens to a call by itself once it has been answered; 0 for nothing. */
export interface CallLimits {
  /** Talk, after which a hang-up is due. */
  maxDurationMs: number
  /** Reason of that hang-up. */
  maxDurationReason: string
  /** A warning is due this long before any hang-up that is known in time. */
  warnMs: number
  /** Between two looks whether its parties still know of it. */
  livenessMs: number
}

export interface MintProposal {
  /** From createReference(). */
  ref: string
  decision: Uint8Array
  /** Undefined: the decision is frozen but leaves no record. */
  call: CallDescription | undefined
  /** A call that nobody reports ends as `partial` after this. */
  deadlineMs: number
  limits?: CallLimits | undefined
}

export interface Minted {
  ref: string
  decision: Uint8Array
  /** The transaction was here before; reference and decision are those of then. */
  replayed: boolean
}

/** Where a party is reached: transport, address and port as last seen; the edge that holds the connection, '' for any. */
export interface PartyFlow {
  transport: string
  address: string
  port: number
  edgeId: string
  flowId: number
}

export interface Party {
  /** Remote target: URI of its latest Contact. */
  target: string
  /** Route values between the cluster and the party, the nearest to the cluster first. */
  routes: readonly string[]
  /** Highest CSeq seen from it; 0 for none. */
  cseq: number
  flow: PartyFlow | undefined
  /** Canonical AoR of which it was a binding; '' for none. */
  aor: string
}

/** What any edge needs to send a request inside a dialog to either party. */
export interface Dialog {
  toTag: string
  /** User part of our Record-Route. */
  token: string
  caller: Party | undefined
  callee: Party | undefined
}

export interface AnsweredReport {
  call: CallDescription
  /** Age of the event when sent. */
  ageMs: number
  toTag: string
  status: number
  target: string
  /** Kept while its leg lives; not where it is larger than MAX_DIALOG_CHARS. */
  dialog?: Dialog | undefined
}

/** A request inside an answered call changed what the next one needs. */
export interface UpdatedReport {
  call: CallDescription
  ageMs: number
  toTag: string
  /** Whose CSeq it is. */
  byCaller: boolean
  cseq: number
  /** Remote targets; '' where they stay. */
  callerTarget: string
  calleeTarget: string
}

export interface HangUpWish {
  /** Value of the Reason header. */
  reason: string
  /** 0: at once. */
  inMs: number
}

/** `alive`: a party knows of the call. `silent`: none answers. `gone`: each says that there is no such call. */
export type ProbeFinding = 'alive' | 'silent' | 'gone'

/** Something that is due at a call and needs an edge. */
export interface CallWork {
  kind: 'hangUp' | 'warn' | 'probe'
  call: LiveCall
  transactionKey: string
  /** Of the legs that live. */
  dialogs: Dialog[]
  /** Of a hang-up, and of the one that a warning warns of. */
  reason: string
  /** Of a hang-up, from 1. */
  attempt: number
  /** Of a warning: left until the hang-up. */
  leftMs: number
}

export interface EndedReport {
  call: CallDescription
  ageMs: number
  /** As in the BYE: either party may be its sender. */
  fromTag: string
  toTag: string
  by: string
  status: number
  reason: string
}

export interface FailedReport {
  call: CallDescription
  ageMs: number
  status: number
  cause: string
  reason: string
}

/** Of a charged call that is over: `ended` until its account has been charged, `settled` until that has been looked at again. */
export type CallState = 'setup' | 'answered' | 'ended' | 'settled' | 'finished'

export interface ReportOutcome {
  /** `ignored`: another dialog's tags, or an event that can no longer change the record. */
  result: 'applied' | 'repeated' | 'ignored'
  state: CallState
  /** Key under which the call was minted: what releaseMint takes; '' when the call was not minted here. */
  transactionKey: string
  /** Until takeWork has a hang-up or warning for this call; undefined where none is planned. */
  workInMs?: number | undefined
  /** Of a charged call that is answered or has just ended. */
  charged?: ChargedCall | undefined
}

export interface DueCall {
  ref: string
  state: CallState
  charged?: ChargedCall | undefined
}

export interface LiveCall {
  callRef: string
  state: 'setup' | 'answered'
  call: CallDescription
  setupUnixMs: bigint
  answeredUnixMs: bigint
}

export interface LiveCalls {
  /** Newest first. */
  calls: LiveCall[]
  truncated: boolean
}

export interface CallRecord {
  cdrId: string
  callId: string
  fromTag: string
  toTags: string[]
  fromUri: string
  toUri: string
  requestUri: string
  target: string
  identity: string
  account: string
  sourceTransport: string
  sourceAddress: string
  sourcePort: number
  userAgent: string
  setupUnixMs: bigint
  ringUnixMs: bigint
  answeredUnixMs: bigint
  endedUnixMs: bigint
  durationMs: bigint
  finalStatus: number
  outcome: string
  endedBy: string
  reason: string
  /** "complete" | "partial" | "recovered" */
  state: string
  setupEdge: string
  endEdge: string
  attempts: Attempt[]
  /** '' and 0 for a call that was not charged. */
  currency: string
  priceMicros: bigint
  billedMs: bigint
  unbilledMs: bigint
  ratePlan: string
  ratePrefix: string
  rate: string
}

export interface RecordItem {
  /** "<shard>/<stream id>": unique, ordered within a shard. */
  id: string
  record: CallRecord
}

export interface RecordLag {
  /** Finished, not yet delivered to the group. */
  waiting: number
  /** Delivered, not acknowledged. */
  pending: number
}
