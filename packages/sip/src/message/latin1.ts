// SPDX-License-Identifier: MIT
// Text as bytes and back, one character a byte. Declares the two Buffer methods that Node has and its types lack: they skip the
// encoding look-up of toString() and write(). Measured in packages/sip/bench/copy.ts: below 48 bytes a loop beats the native call.
// Of texts it does not: a loop of charCodeAt over 20 characters takes 0.6 to 2 µs once it has seen strings of several kinds (slices,
// concatenations, keys), a native write 0.1 µs.

declare global {
  interface Buffer<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> extends Uint8Array<TArrayBuffer> {
    latin1Slice(start?: number, end?: number): string
    latin1Write(text: string, offset?: number, length?: number): number
  }
}

const BYTES_LOOP_BELOW = 48

/** Writes latin1 text at `at`, returns the offset behind it. The caller has checked the room. */
export function writeText(out: Buffer, at: number, text: string): number {
  return text === '' ? at : at + out.latin1Write(text, at)
}

/** Copies from[start, end) to `at`, returns the offset behind it. */
export function writeBytes(out: Buffer, at: number, from: Buffer, start: number, end: number): number {
  const length = end - start
  if (length >= BYTES_LOOP_BELOW) {
    from.copy(out, at, start, end)
    return at + length
  }
  for (let k = 0; k < length; k++) out[at + k] = from[start + k] as number
  return at + length
}

/** Writes a non-negative integer in decimal, returns the offset behind it. */
export function writeDecimal(out: Buffer, at: number, value: number): number {
  let digits = 1
  for (let rest = Math.floor(value / 10); rest > 0; rest = Math.floor(rest / 10)) digits++
  let rest = value
  for (let i = at + digits - 1; i >= at; i--) {
    out[i] = 48 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return at + digits
}
