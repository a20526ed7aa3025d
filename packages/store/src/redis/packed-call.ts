// SPDX-License-Identifier: MIT
// The call on record as scripts/calls.ts packs it: short names to the fields of CallOnRecord; what is absent is empty.

import { type CallOnRecord, isKept, NO_PLAN } from '../call-record.ts'
import { billingOf } from '../charges.ts'
import type { Answerer, Attempt, CallDescription, CallFacts, CallState, Dialog, Party } from '../types.ts'
import { AGE_UNKNOWN } from '../types.ts'
import { type Packed, unpack } from './msgpack.ts'

export function callOf(ref: string, bytes: Buffer): CallOnRecord {
  const packed = unpack(bytes) as Record<string, Packed>
  const text = (name: string) => String(packed[name] ?? '')
  const number = (name: string) => Number(packed[name] ?? 0)
  return {
    ref,
    state: text('s') as CallState,
    transactionKey: text('tk'),
    callId: text('ci'),
    fromTag: text('ft'),
    fromUri: text('fu'),
    toUri: text('tu'),
    requestUri: text('ru'),
    sourceTransport: text('st'),
    sourceAddress: text('sa'),
    sourcePort: number('sp'),
    identity: text('id'),
    account: text('ac'),
    userAgent: text('ua'),
    setupEdge: text('ed'),
    edges: Array.isArray(packed.eg) ? packed.eg.map(String) : [],
    attempts: text('at') === '' ? [] : (JSON.parse(text('at')) as Attempt[]),
    facts: objectOf<CallFacts>(text('fa')),
    media: text('me'),
    answerer: objectOf<Answerer>(text('aw')),
    setupMs: number('su'),
    ringMs: number('ri'),
    answeredMs: number('an'),
    target: text('tg'),
    finalStatus: number('fs'),
    legs: legsOf(packed.lg),
    endedMs: number('en'),
    endedBy: text('by'),
    reason: text('rs'),
    endEdge: text('ee'),
    outcome: text('oc'),
    completeness: text('cp'),
    plan: { ...NO_PLAN, hangUpReason: text('hr'), hangUpAttempts: number('ha'), chargeAtMs: number('xd') },
    charge: text('cg'),
    billing: billingOf(text('bl')),
    corrections: number('cn'),
    correction: text('cw'),
  }
}

const objectOf = <T>(text: string): T | undefined => (text === '' ? undefined : (JSON.parse(text) as T))

function legsOf(packed: Packed | undefined): CallOnRecord['legs'] {
  if (!Array.isArray(packed)) return []
  return (packed as PackedLeg[]).map(([tag, answered, endedMs, ...dialog]) => {
    const leg = { tag, answered: answered === 1, endedMs }
    return dialog[0] === undefined ? leg : { ...leg, dialog: dialogOf(tag, dialog as PackedDialog) }
  })
}

/** The dialog without what changes, CSeqs and targets of caller and callee. */
type PackedDialog = [text: string, callerCseq: number, calleeCseq: number, callerTarget: string, calleeTarget: string]
type PackedLeg = [tag: string, answered: number, endedMs: number, ...Partial<PackedDialog>]
/** What of a party does not change: AoR, flow as transport, address, port, edge and id, or none, and its routes. */
type FixedParty = [aor: string, flow: [string, string, number, string, number] | 0, ...routes: string[]]

function dialogOf(toTag: string, [text, callerCseq, calleeCseq, callerTarget, calleeTarget]: PackedDialog): Dialog {
  const [token, caller, callee] = JSON.parse(text) as [string, FixedParty, FixedParty]
  return {
    toTag,
    token,
    caller: partyOf(caller, callerTarget, callerCseq),
    callee: partyOf(callee, calleeTarget, calleeCseq),
  }
}

function partyOf([aor, packed, ...routes]: FixedParty, target: string, cseq: number): Party {
  if (packed === 0) return { target, routes, cseq, flow: undefined, aor }
  const [transport, address, port, edgeId, flowId] = packed
  return { target, routes, cseq, flow: { transport, address, port, edgeId, flowId }, aor }
}

/** In the order of ARGV in ANSWERED; '' for none, or one that is too large. */
export function dialogArgs(dialog: Dialog | undefined): (string | number)[] {
  const { token, caller, callee } = dialog ?? {}
  if (dialog === undefined || caller === undefined || callee === undefined || !isKept(dialog)) return NO_DIALOG
  const text = JSON.stringify([token, fixedOf(caller), fixedOf(callee)])
  return [text, caller.cseq, callee.cseq, caller.target, callee.target]
}

const NO_DIALOG = ['', 0, 0, '', '']

function fixedOf({ routes, flow, aor }: Party): FixedParty {
  return [aor, flow === undefined ? 0 : [flow.transport, flow.address, flow.port, flow.edgeId, flow.flowId], ...routes]
}

/** In the order of ARGV in scripts/calls.ts. */
export function descriptionArgs(call: CallDescription): string[] {
  const { callId, fromTag, fromUri, toUri, requestUri, source, identity, account, userAgent, edgeId, attempts } = call
  const texts = [callId, fromTag, fromUri, toUri, requestUri]
  texts.push(source?.transport ?? '', source?.address ?? '', source ? String(source.port) : '')
  texts.push(identity, account, userAgent, edgeId, attempts.length > 0 ? JSON.stringify(attempts) : '')
  texts.push(ageText(call.setupAgeMs), ageText(call.ringAgeMs))
  return texts
}

/** The last arguments of all that have a description. */
export function aboutArgs({ facts, media, charge }: CallDescription, correction: string): string[] {
  return [facts === undefined ? '' : JSON.stringify(facts), media ?? '', correction, charge ?? '']
}

function ageText(ageMs: number): string {
  return ageMs === AGE_UNKNOWN ? '' : String(ageMs)
}
