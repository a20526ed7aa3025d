// SPDX-License-Identifier: MIT
// Calls on record: what is reported of them, and what is due at them.

import type { ChargedCall } from '../charges.ts'

export interface Source {
  transport: string
  address: string
  port: number
}

/** Times in milliseconds; absent where they are not known. */
export interface Attempt {
  target: string
  /** 0 where it had none. */
  status: number
  provisionalStatus: number
  trunk?: string | undefined
  /** After the call's set-up. */
  startMs?: number | undefined
  /** Sent until it rang. */
  pddMs?: number | undefined
  /** After the call's set-up. */
  endMs?: number | undefined
}

/** What policy knows of a call at its decision; opaque to the store. '' for what there is none of. */
export interface CallFacts {
  tenant: string
  /** `internal`, `inbound`, `outbound` or `transit`. */
  direction: string
  dialled: string
  ingressTrunk: string
  authMethod: string
  fraudVerdict: string
  traceId: string
}

/** The side that answered first, '' and 0 for what is not known. */
export interface Answerer {
  aor: string
  userAgent: string
  transport: string
  address: string
  port: number
  trunk: string
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
  facts?: CallFacts | undefined
  /** Kinds of media that the INVITE offered, with commas. */
  media?: string | undefined
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
  answerer?: Answerer | undefined
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
  /** `caller`, `callee` or `system`; '' or absent where it is not known. */
  by?: string | undefined
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
  /** Of a call that has just ended and had been answered by a trunk. */
  trunk?: EndedAtTrunk | undefined
  /** Of a call that has just ended: the address-of-record that had answered it. */
  answeredBy?: string | undefined
}

export interface EndedAtTrunk {
  name: string
  talkMs: number
}

export interface DueCall {
  ref: string
  state: CallState
  charged?: ChargedCall | undefined
}

export interface LiveCall {
  callRef: string
  /** Under which its decision was frozen; '' where it was not minted. */
  transactionKey: string
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
