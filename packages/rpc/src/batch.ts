// SPDX-License-Identifier: MIT
//
// Puts encoded item bodies together into one StreamRequest or StreamResponse. Both have their items in field 1, and an
// item has its id in field 1 and (requests only) ms_left in field 2, waited_ms in field 3; protobuf lets fields come in any order, so a body that
// was encoded when the call was made gets its id and the time left when it is sent. batch.test.ts holds this against the
// generated decoder.

const TAG_ITEMS = 10
const TAG_ID = 8
const TAG_MS_LEFT = 16
const TAG_WAITED_MS = 24
/** Of a StreamRequest, behind its items. */
const TAG_SENT_MS = 16
const HEAD_MAX_BYTES = 24
const TAIL_MAX_BYTES = 6

export class BatchWriter {
  readonly #bytes: Buffer
  #at = 0

  /** For bodies of `bodyBytes` in sum. */
  constructor(bodyBytes: number, itemCount: number) {
    this.#bytes = Buffer.allocUnsafe(bodyBytes + itemCount * HEAD_MAX_BYTES + TAIL_MAX_BYTES)
  }

  /** Zeros are left out, as the generated code does. */
  append(id: number, msLeft: number, body: Uint8Array, waitedMs = 0): void {
    const waited = waitedMs > 0 ? 1 + varintLength(waitedMs) : 0
    const head = 1 + varintLength(id) + (msLeft > 0 ? 1 + varintLength(msLeft) : 0) + waited
    this.#byte(TAG_ITEMS)
    this.#varint(head + body.length)
    this.#byte(TAG_ID)
    this.#varint(id)
    if (msLeft > 0) {
      this.#byte(TAG_MS_LEFT)
      this.#varint(msLeft)
    }
    if (waitedMs > 0) {
      this.#byte(TAG_WAITED_MS)
      this.#varint(waitedMs)
    }
    this.#bytes.set(body, this.#at)
    this.#at += body.length
  }

  /** Once, last: when the batch is written. */
  sentAt(sentMs: number): void {
    if (sentMs === 0) return
    this.#byte(TAG_SENT_MS)
    this.#varint(sentMs)
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  #byte(value: number): void {
    this.#bytes[this.#at++] = value
  }

  #varint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#at++] = rest
  }
}

/** Of an unsigned 32-bit integer. */
function varintLength(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  return value < 0x1000_0000 ? 4 : 5
}
