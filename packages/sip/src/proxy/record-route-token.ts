// SPDX-License-Identifier: MIT
// The Record-Route token (DESIGN §4): what any edge needs to send an in-dialog request on, and the proof that the
// cluster said so for this dialog. Deterministic, URI-safe, 20 to 73 characters for what is common, 101 at most.
// Text: base64url of  key id 1 · kinds of both sides 1 · length of the call reference with who is trusted 1 · caller · callee · proof 8
// and then the call reference, all of it with `.` for `q` (dotted-base64url.ts says why). The proof is SipHash over what it says, the Call-ID
// and the initiator's tag.
// Free of direction: the tag that proves it tells which way a request goes.
import { Buffer } from 'node:buffer'
import type { SipMessage } from '../message/index.ts'
import { decodeDottedBase64Url, encodeDottedBase64Url, isDottedBase64Url } from './dotted-base64url.ts'
import { formatIpv6, parseIpv4, parseIpv6 } from './ip-address.ts'
import type { KeyRing, RingKey } from './key-ring.ts'
import { type Hash64, HashInput, sipHash } from './siphash.ts'

/** What lies on one side of the dialog. Hashes and ids are unsigned 32-bit integers. */
export type TokenSide =
  | { readonly kind: 'none' }
  | { readonly kind: 'flow'; readonly edgeHash: number; readonly flowId: number }
  /** `transport` is one of TRANSPORT; `address` is numeric, IPv6 without brackets. */
  | {
      readonly kind: 'address'
      readonly transport: number
      readonly address: string
      readonly port: number
      /** Hash of the listener that a NAT lets in there; absent where any will do. */
      readonly listenerHash?: number
    }
  | { readonly kind: 'trunk'; readonly id: number }
  /** `regId` 0 to 65535, 0 for none. */
  | { readonly kind: 'binding'; readonly aorHash: number; readonly instanceHash: number; readonly regId: number }

export interface TokenFields {
  /** base64url characters, at most 24; '' for none. */
  readonly callRef: string
  readonly caller: TokenSide
  readonly callee: TokenSide
  /** Requests of this dialog pass without a transaction (RFC 3261 section 16.11). */
  readonly isStateless?: boolean
  /** The caller, the callee is within the trust domain (RFC 3325): false where absent. */
  readonly callerTrusted?: boolean
  readonly calleeTrusted?: boolean
}

export interface VerifiedToken extends TokenFields {
  readonly keyId: number
  readonly isStateless: boolean
  readonly callerTrusted: boolean
  readonly calleeTrusted: boolean
  /** true: `tagA` is the initiator's, so side A is the caller. */
  readonly isInitiatorA: boolean
}

export const NO_SIDE: TokenSide = { kind: 'none' }
export const MAX_CALL_REF = 24
export const MAX_TOKEN_TEXT = 101

const KIND = { none: 0, flow: 1, ipv4: 2, ipv6: 3, trunk: 4, binding: 5, ipv4At: 6, ipv6At: 7 } as const
/** Bytes of a side by kind. */
const SIDE_BYTES = [0, 8, 7, 19, 4, 10, 11, 23] as const
/** In the byte of both kinds, whose halves need three bits each. */
const STATELESS_BIT = 0x80
/** In the byte of the call reference's length, which needs five bits. */
const LENGTH_BITS = 0x1f
const CALLER_TRUSTED_BIT = 0x80
const CALLEE_TRUSTED_BIT = 0x40
const HEAD_BYTES = 3
const PROOF_BYTES = 8
const CALL_REF = /^[A-Za-z0-9_-]*$/
const MAX_RAW_BYTES = HEAD_BYTES + 2 * 23 + PROOF_BYTES

const raw = Buffer.alloc(MAX_RAW_BYTES)
const text = Buffer.alloc(MAX_TOKEN_TEXT)
const input = new HashInput()
const hash: Hash64 = { lo: 0, hi: 0 }

/**
 * The token for a dialog that `initiatorTag` (the From tag of its first request) began. A RangeError means that a
 * field cannot be said in a token: a call reference that is too long or not base64url, an address that is no number.
 */
export const encodeToken = (fields: TokenFields, ring: KeyRing, callId: string, initiatorTag: string): string => {
  const end = putFields(fields, ring)
  const callRef = dotted(fields.callRef)
  prove(ring.signing, end, callRef, callId, initiatorTag)
  return withProof(end, callRef)
}

/** The same for the dialog that `request` begins, from its bytes. */
export const encodeTokenOf = (fields: TokenFields, ring: KeyRing, request: SipMessage): string => {
  const end = putFields(fields, ring)
  const callRef = dotted(fields.callRef)
  input.reset()
  input.field(raw, 0, end)
  input.textField(callRef)
  input.field(request.buf, request.callIdStart, request.callIdEnd)
  input.field(request.buf, request.fromTagStart, request.fromTagEnd)
  sipHash(input, ring.signing.token, hash)
  return withProof(end, callRef)
}

/** Into `raw`; returns where the proof goes. */
const putFields = (fields: TokenFields, ring: KeyRing): number => {
  const callerKind = kindOf(fields.caller)
  const calleeKind = kindOf(fields.callee)
  checkCallRef(fields.callRef)
  raw[0] = ring.signing.id
  raw[1] = (callerKind << 4) | calleeKind | (fields.isStateless === true ? STATELESS_BIT : 0)
  raw[2] = fields.callRef.length | trustBits(fields)
  const middle = putSide(fields.caller, HEAD_BYTES)
  return putSide(fields.callee, middle)
}

const withProof = (end: number, callRef: string): string => {
  raw.writeInt32LE(hash.lo, end)
  raw.writeInt32LE(hash.hi, end + 4)
  const at = encodeDottedBase64Url(raw, end + PROOF_BYTES, text, 0)
  return text.latin1Slice(0, at + text.latin1Write(callRef, at))
}

/**
 * What a token says, if a key of the ring made it for this Call-ID and one of the two tags ('' for a missing one);
 * else undefined. Never throws.
 */
export const verifyToken = (
  token: string,
  ring: KeyRing,
  callId: string,
  tagA: string,
  tagB: string,
): VerifiedToken | undefined => {
  if (token.length > MAX_TOKEN_TEXT) return undefined
  const length = decodeRaw(text, 0, text.latin1Write(token, 0))
  const key = length < 0 ? undefined : ring.byId[raw[0] as number]
  if (key === undefined) return undefined
  const callRef = token.slice(token.length - callRefLength())
  const end = length - PROOF_BYTES
  const isInitiatorA = isProven(key, end, callRef, callId, tagA)
  if (!isInitiatorA && !isProven(key, end, callRef, callId, tagB)) return undefined
  return readToken(key, callRef, isInitiatorA)
}

/** `verifyToken` over the bytes of a message, for the token at [start, end) of `msg.buf`: side A is the From tag's. */
export const verifyTokenIn = (
  msg: SipMessage,
  start: number,
  end: number,
  ring: KeyRing,
): VerifiedToken | undefined => {
  const length = decodeRaw(msg.buf, start, end)
  const key = length < 0 ? undefined : ring.byId[raw[0] as number]
  if (key === undefined) return undefined
  const refStart = end - callRefLength()
  const isInitiatorA = isProvenIn(key, length, msg, refStart, end, msg.fromTagStart, msg.fromTagEnd)
  if (!isInitiatorA && !isProvenIn(key, length, msg, refStart, end, msg.toTagStart, msg.toTagEnd)) return undefined
  return readToken(key, refStart === end ? '' : msg.text(refStart, end), isInitiatorA)
}

const readToken = (key: RingKey, callRef: string, isInitiatorA: boolean): VerifiedToken => {
  const kinds = raw[1] as number
  const callerKind = callerKindOf(kinds)
  const middle = HEAD_BYTES + sideBytes(callerKind)
  return {
    keyId: key.id,
    callRef: undotted(callRef),
    caller: readSide(callerKind, HEAD_BYTES),
    callee: readSide(kinds & 15, middle),
    isStateless: (kinds & STATELESS_BIT) !== 0,
    callerTrusted: ((raw[2] as number) & CALLER_TRUSTED_BIT) !== 0,
    calleeTrusted: ((raw[2] as number) & CALLEE_TRUSTED_BIT) !== 0,
    isInitiatorA,
  }
}

/** Whether the text has the form of a token, whoever made it: tells a forged token from a phone's user part. */
export const looksLikeToken = (token: string): boolean =>
  token.length <= MAX_TOKEN_TEXT && decodeRaw(text, 0, text.latin1Write(token, 0)) >= 0

const kindOf = (side: TokenSide): number => {
  if (side.kind !== 'address') return KIND[side.kind]
  if (side.listenerHash === undefined) return side.address.includes(':') ? KIND.ipv6 : KIND.ipv4
  return side.address.includes(':') ? KIND.ipv6At : KIND.ipv4At
}

const callerKindOf = (kinds: number): number => (kinds >>> 4) & 7

const sideBytes = (kind: number): number => SIDE_BYTES[kind] ?? MAX_RAW_BYTES

const checkCallRef = (callRef: string): void => {
  if (callRef.length > MAX_CALL_REF) throw new RangeError(`call reference: expected at most ${MAX_CALL_REF} characters`)
  if (callRef !== '' && !CALL_REF.test(callRef)) throw new RangeError('call reference: expected base64url characters')
}

const dotted = (callRef: string): string => (callRef === '' ? '' : callRef.replaceAll('q', '.'))
const undotted = (callRef: string): string => (callRef === '' ? '' : callRef.replaceAll('.', 'q'))

const trustBits = ({ callerTrusted, calleeTrusted }: TokenFields): number =>
  (callerTrusted === true ? CALLER_TRUSTED_BIT : 0) | (calleeTrusted === true ? CALLEE_TRUSTED_BIT : 0)

const callRefLength = (): number => (raw[2] as number) & LENGTH_BITS

const putSide = (side: TokenSide, at: number): number => {
  switch (side.kind) {
    case 'none':
      return at
    case 'flow':
      raw.writeUInt32LE(side.edgeHash >>> 0, at)
      return raw.writeUInt32LE(side.flowId >>> 0, at + 4)
    case 'trunk':
      return raw.writeUInt32LE(side.id >>> 0, at)
    case 'binding':
      raw.writeUInt32LE(side.aorHash >>> 0, at)
      raw.writeUInt32LE(side.instanceHash >>> 0, at + 4)
      return raw.writeUInt16LE(side.regId, at + 8)
    case 'address':
      return putListener(side.listenerHash, putAddress(side.transport, side.address, side.port, at))
  }
}

const putAddress = (transport: number, address: string, port: number, at: number): number => {
  const isParsed = address.includes(':') ? parseIpv6(address, raw, at + 3) : parseIpv4(address, raw, at + 3)
  if (!isParsed) throw new RangeError(`token address ${address}: expected an IPv4 or IPv6 number`)
  raw[at] = transport
  raw.writeUInt16LE(port, at + 1)
  return at + 3 + (address.includes(':') ? 16 : 4)
}

const putListener = (hash: number | undefined, at: number): number =>
  hash === undefined ? at : raw.writeUInt32LE(hash >>> 0, at)

const readSide = (kind: number, at: number): TokenSide => {
  switch (kind) {
    case KIND.flow:
      return { kind: 'flow', edgeHash: raw.readUInt32LE(at), flowId: raw.readUInt32LE(at + 4) }
    case KIND.trunk:
      return { kind: 'trunk', id: raw.readUInt32LE(at) }
    case KIND.binding:
      return {
        kind: 'binding',
        aorHash: raw.readUInt32LE(at),
        instanceHash: raw.readUInt32LE(at + 4),
        regId: raw.readUInt16LE(at + 8),
      }
    case KIND.ipv4:
    case KIND.ipv6:
      return readPlace(kind, at)
    case KIND.ipv4At:
      return { ...readPlace(KIND.ipv4, at), listenerHash: raw.readUInt32LE(at + SIDE_BYTES[KIND.ipv4]) }
    case KIND.ipv6At:
      return { ...readPlace(KIND.ipv6, at), listenerHash: raw.readUInt32LE(at + SIDE_BYTES[KIND.ipv6]) }
    default:
      return NO_SIDE
  }
}

const readPlace = (kind: number, at: number) =>
  ({
    kind: 'address',
    transport: raw[at] as number,
    address: readAddress(kind, at + 3),
    port: raw.readUInt16LE(at + 1),
  }) as const

const readAddress = (kind: number, at: number): string =>
  kind === KIND.ipv6 ? formatIpv6(raw, at) : `${raw[at]}.${raw[at + 1]}.${raw[at + 2]}.${raw[at + 3]}`

/** Decodes the part of [start, end) before the call reference into `raw`; its length, or -1 when it has not a token's form. */
const decodeRaw = (from: Uint8Array, start: number, end: number): number => {
  if (end - start > MAX_TOKEN_TEXT || end - start < 4) return -1
  for (let i = start; i < end; i++) if (!isDottedBase64Url(from[i] as number)) return -1
  if (decodeDottedBase64Url(from, start, start + 4, raw) !== HEAD_BYTES) return -1
  const refLength = callRefLength()
  const kinds = raw[1] as number
  const length = HEAD_BYTES + sideBytes(callerKindOf(kinds)) + sideBytes(kinds & 15) + PROOF_BYTES
  if (refLength > MAX_CALL_REF || length > MAX_RAW_BYTES) return -1
  return decodeDottedBase64Url(from, start, end - refLength, raw) === length ? length : -1
}

const prove = (key: RingKey, end: number, callRef: string, callId: string, tag: string): void => {
  input.reset()
  input.field(raw, 0, end)
  input.textField(callRef)
  input.textField(callId)
  input.textField(tag)
  sipHash(input, key.token, hash)
}

const isProven = (key: RingKey, end: number, callRef: string, callId: string, tag: string): boolean => {
  prove(key, end, callRef, callId, tag)
  return raw.readInt32LE(end) === hash.lo && raw.readInt32LE(end + 4) === hash.hi
}

const isProvenIn = (
  key: RingKey,
  length: number,
  msg: SipMessage,
  refStart: number,
  refEnd: number,
  tagStart: number,
  tagEnd: number,
): boolean => {
  const end = length - PROOF_BYTES
  input.reset()
  input.field(raw, 0, end)
  input.field(msg.buf, refStart, refEnd)
  input.field(msg.buf, msg.callIdStart, msg.callIdEnd)
  input.field(msg.buf, tagStart, tagEnd)
  sipHash(input, key.token, hash)
  return raw.readInt32LE(end) === hash.lo && raw.readInt32LE(end + 4) === hash.hi
}
