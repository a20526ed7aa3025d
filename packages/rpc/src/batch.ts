// SPDX-License-Identifier: MIT
//
// Puts encoded item bodies together into one StreamRequest or StreamResponse. Both have their items in field 1, and an
// item has its id in field 1 and (requests only) ms_left in field 2; protobuf lets fields come in any order, so a body that
// was encoded when the call was made gets its id and the time left when it is sent. batch.test.ts holds this against the
// generated decoder.

const TAG_ITEMS = 10
const TAG_ID = 8
const TAG_MS_LEFT = 16
const HEAD_MAX_BYTES = 18

export class BatchWriter {
  readonly #bytes: Buffer
  #at = 0

  /** For bodies of `bodyBytes` in sum. */
  constructor(bodyBytes: number, itemCount: number) {
    this.#bytes = Buffer.allocUnsafe(bodyBytes + itemCount * HEAD_MAX_BYTES)
  }

  /** msLeft 0 is left out, as the generated code does. */
  append(id: number, msLeft: number, body: Uint8Array): void {
    const head = 1 + varintLength(id) + (msLeft > 0 ? 1 + varintLength(msLeft) : 0)
    this.#byte(TAG_ITEMS)
    this.#varint(head + body.length)
    this.#byte(TAG_ID)
    this.#varint(id)
    if (msLeft > 0) {
      this.#byte(TAG_MS_LEFT)
      this.#varint(msLeft)
    }
    this.#bytes.set(body, this.#at)
    this.#at += body.length
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
