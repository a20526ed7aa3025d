// SPDX-License-Identifier: MIT
// Branches that prove themselves (DESIGN §4): `z9hG4bK` and 24 characters (dotted-base64url.ts) over
//   key id 1 · attempt 1 · target hash 4 · loop hash 4 · proof 8
// The proof is SipHash over the other fields and the identity of the upstream transaction, which request and
// response both carry: branch and sent-by of the Via below ours, Call-ID, From tag, CSeq number. So every edge gives
// one attempt the same branch, and any edge can tell a response to the cluster's request from a forgery.
// The method is left out: CANCEL and the ACK of a failure have the branch of their INVITE. [RFC5393-4.2.1]
// Leaves out attempts beyond 255 of one request; the attempt counts every branch of it, parallel or serial.
import { Buffer } from 'node:buffer'
import type { ViaView } from '../header/index.ts'
import { HEADER, type SipMessage, ValueCursor } from '../message/index.ts'
import { decodeDottedBase64Url, encodeDottedBase64Url } from './dotted-base64url.ts'
import type { KeyRing, RingKey } from './key-ring.ts'
import { type Hash64, HashInput, sipHash } from './siphash.ts'

export interface BranchFields {
  readonly keyId: number
  /** 0 to 255: position among all branches of this request. */
  readonly attempt: number
  /** 32 bits over target URI and next hop. */
  readonly targetHash: number
  /** 32 bits over Request-URI, Routes and plan inputs. */
  readonly loopHash: number
}

const COOKIE = Buffer.from('z9hG4bK', 'latin1')
const FIELD_BYTES = 10
const RAW_BYTES = FIELD_BYTES + 8
const TEXT_BYTES = COOKIE.length + (RAW_BYTES / 3) * 4

const input = new HashInput()
const hash: Hash64 = { lo: 0, hi: 0 }
const routes = new ValueCursor()
const raw = Buffer.alloc(RAW_BYTES)
const text = Buffer.alloc(TEXT_BYTES)
COOKIE.copy(text)

/** Which target, by which next hop: 32 bits, the same on every edge. Latin1 texts; the transport belongs to `nextHop`. */
export const hashTarget = (key: RingKey, targetUri: string, nextHop: string): number => {
  input.reset()
  input.textField(targetUri)
  input.textField(nextHop)
  sipHash(input, key.target, hash)
  return hash.lo >>> 0
}

/**
 * What decides where the received request goes: its Request-URI, its Route values, who it says that it is from, and
 * `planInputs`, everything else that the plan was made from (latin1; the method must not be among it). Call-ID and CSeq make a
 * collision one of this transaction only. Where the request came from is no field of it and left out: a loop is found at its
 * first turn. 32 bits. [RFC5393-4.2.1] [RFC5393-4.2.4]
 */
export const hashLoop = (key: RingKey, request: SipMessage, planInputs: string): number => {
  input.reset()
  input.field(request.buf, request.uriStart, request.uriEnd)
  input.textField(planInputs)
  input.field(request.buf, request.fromUriStart, request.fromUriEnd)
  input.field(request.buf, request.callIdStart, request.callIdEnd)
  input.int32(request.cseq)
  routes.reset(request, HEADER.ROUTE)
  while (routes.next()) input.field(request.buf, routes.start, routes.end)
  sipHash(input, key.loop, hash)
  return hash.lo >>> 0
}

/** The branch for one attempt to forward `request`, a request as it was received. */
export const encodeBranch = (
  ring: KeyRing,
  request: SipMessage,
  attempt: number,
  targetHash: number,
  loopHash: number,
): string => {
  putFields(ring.signing.id, attempt, targetHash, loopHash)
  putUpstream(request, request.viaBranchStart, request.viaBranchEnd, request.viaHostStart, request.viaHostEnd)
  input.int32(request.viaPort)
  sipHash(input, ring.signing.branch, hash)
  for (let i = 0; i < FIELD_BYTES; i++) raw[i] = input.bytes[i] as number
  raw.writeInt32LE(hash.lo, FIELD_BYTES)
  raw.writeInt32LE(hash.hi, FIELD_BYTES + 4)
  return text.latin1Slice(0, encodeDottedBase64Url(raw, RAW_BYTES, text, COOKIE.length))
}

/** The fields of a branch of this form, without proof: for loop detection in our own older Via values. */
export const decodeBranch = (buf: Uint8Array, start: number, end: number): BranchFields | undefined => {
  if (start < 0 || end - start !== TEXT_BYTES) return undefined
  for (let i = 0; i < COOKIE.length; i++) if (buf[start + i] !== COOKIE[i]) return undefined
  if (decodeDottedBase64Url(buf, start + COOKIE.length, end, raw) !== RAW_BYTES) return undefined
  return {
    keyId: raw[0] as number,
    attempt: raw[1] as number,
    targetHash: raw.readUInt32LE(2),
    loopHash: raw.readUInt32LE(6),
  }
}

/**
 * The fields of the top Via's branch of a response if a key of the ring made it for this very response's second Via
 * (`upstream`), Call-ID, From tag and CSeq; else undefined.
 */
export const verifyBranch = (ring: KeyRing, response: SipMessage, upstream: ViaView): BranchFields | undefined => {
  const fields = decodeBranch(response.buf, response.viaBranchStart, response.viaBranchEnd)
  const key = fields === undefined ? undefined : ring.byId[fields.keyId]
  if (fields === undefined || key === undefined) return undefined
  putFields(fields.keyId, fields.attempt, fields.targetHash, fields.loopHash)
  putUpstream(response, upstream.branchStart, upstream.branchEnd, upstream.hostStart, upstream.hostEnd)
  input.int32(upstream.port)
  sipHash(input, key.branch, hash)
  const isProven = raw.readInt32LE(FIELD_BYTES) === hash.lo && raw.readInt32LE(FIELD_BYTES + 4) === hash.hi
  return isProven ? fields : undefined
}

/**
 * Whether a Via value of ours in `request`, whose branch is `request.buf[start, end)`, was put there when everything
 * that decides its way was as it is now: a loop, not a spiral. [RFC5393-4.2.2]
 */
export const isLoop = (ring: KeyRing, request: SipMessage, start: number, end: number, planInputs: string): boolean => {
  const fields = decodeBranch(request.buf, start, end)
  const key = fields === undefined ? undefined : ring.byId[fields.keyId]
  return fields !== undefined && key !== undefined && hashLoop(key, request, planInputs) === fields.loopHash
}

const putFields = (keyId: number, attempt: number, targetHash: number, loopHash: number): void => {
  input.reset()
  input.byte(keyId)
  input.byte(attempt)
  input.int32(targetHash)
  input.int32(loopHash)
}

const putUpstream = (
  msg: SipMessage,
  branchStart: number,
  branchEnd: number,
  hostStart: number,
  hostEnd: number,
): void => {
  input.field(msg.buf, branchStart, branchEnd)
  input.lowerField(msg.buf, hostStart, hostEnd)
  input.field(msg.buf, msg.callIdStart, msg.callIdEnd)
  input.field(msg.buf, msg.fromTagStart, msg.fromTagEnd)
  input.int32(msg.cseq)
}
