// SPDX-License-Identifier: MIT
// What is set on an SCTP socket, as bytes that the kernel takes (RFC 6458 §8.1; linux/sctp.h). Data alone: which numbers there are is tested
// against the header, and that they are set in order is tested over TCP with options of its own.
import { endianness } from 'node:os'

export const IPPROTO_SCTP = 132
const SOL_SCTP = 132
const SCTP_RTOINFO = 0
const SCTP_INITMSG = 2
const SCTP_NODELAY = 3
const SCTP_DEFAULT_SNDINFO = 34
export const SCTP_UNORDERED = 1

/** Streams that the kernel offers when nothing is said, each way. We send on the first and read all [RFC4168-5.1]. */
const STREAMS = 10

export interface SocketOption {
  /** For the sentence when the kernel refuses it. */
  readonly what: string
  readonly level: number
  readonly name: number
  readonly bytes: Uint8Array
}

export interface SctpTuning {
  /** INITs that are sent before a peer counts as not there. */
  readonly initAttempts: number
  /** Before the first INIT is sent again, and at most before each further one. */
  readonly initTimeoutMs: number
}

/** Four INITs in the time that a connection may take. */
export const DEFAULT_SCTP_TUNING: SctpTuning = { initAttempts: 4, initTimeoutMs: 1_000 }

/**
 * For a socket that listens or connects; what is accepted inherits them.
 * [RFC4168-5] [RFC4168-5.1] What is sent has the payload protocol identifier 0, goes over stream 0 and is unordered.
 */
export function sctpOptions({ initAttempts, initTimeoutMs }: SctpTuning): readonly SocketOption[] {
  const option = (what: string, name: number, bytes: Uint8Array): SocketOption => ({
    what,
    level: SOL_SCTP,
    name,
    bytes,
  })
  return [
    // struct sctp_rtoinfo: association, initial, max, min; 0 leaves what is
    option('SCTP_RTOINFO', SCTP_RTOINFO, words(0, initTimeoutMs, 0, 0)),
    // struct sctp_initmsg: out streams, in streams, attempts, longest timeout
    option('SCTP_INITMSG', SCTP_INITMSG, halves(STREAMS, STREAMS, initAttempts, initTimeoutMs)),
    option('SCTP_NODELAY', SCTP_NODELAY, words(1)),
    // struct sctp_sndinfo: stream and flags, payload protocol identifier, context, association
    option('SCTP_DEFAULT_SNDINFO', SCTP_DEFAULT_SNDINFO, join(halves(0, SCTP_UNORDERED), words(0, 0, 0))),
  ]
}

const IS_LITTLE = endianness() === 'LE'

export function words(...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length))
  for (const [index, value] of values.entries()) view.setInt32(4 * index, value, IS_LITTLE)
  return new Uint8Array(view.buffer)
}

function halves(...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * values.length))
  for (const [index, value] of values.entries()) view.setUint16(2 * index, value, IS_LITTLE)
  return new Uint8Array(view.buffer)
}

function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
