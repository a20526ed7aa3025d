// SPDX-License-Identifier: MIT
//
// How a change of an address-of-record is named to those who watch: FNV-1a, 32 bits, over its UTF-8. Two addresses with one
// hash are forgotten together, which costs a look-up and nothing else.

const BASIS = 0x811c9dc5
const PRIME = 0x01000193
const LAST_ASCII = 0x7f

/** 0 to 2^32 - 1. */
export function aorHash(aor: string): number {
  let hash = BASIS
  for (let i = 0; i < aor.length; i++) {
    const unit = aor.charCodeAt(i)
    if (unit > LAST_ASCII) return hashOfBytes(Buffer.from(aor))
    hash = Math.imul(hash ^ unit, PRIME)
  }
  return hash >>> 0
}

function hashOfBytes(bytes: Buffer): number {
  let hash = BASIS
  for (const byte of bytes) hash = Math.imul(hash ^ byte, PRIME)
  return hash >>> 0
}
