// SPDX-License-Identifier: MIT
// Names one registration of an instance: from its first REGISTER (or the first with another Call-ID) to the next one with
// another Call-ID, or to the end of its last binding. The temporary GRUUs of an instance are valid as long as its
// bindings carry this number [RFC5627-5.1] [RFC5627-5.3]. The store keeps it with the bindings (`Binding.registrationHash`).
import { createHash } from 'node:crypto'

/**
 * Unsigned 32 bits, never 0, of the REGISTER that begins a registration. The CSeq counts: the same phone with the same
 * Call-ID begins another one after its bindings have gone.
 */
export function registrationHash(callId: string, cseq: number): number {
  return createHash('sha256').update(`${cseq} ${callId}`).digest().readUInt32LE(0) || 1
}
