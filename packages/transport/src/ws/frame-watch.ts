// SPDX-License-Identifier: MIT
// Where the frames of a WebSocket begin and end (RFC 6455 §5.2), so that a message which stays unfinished has a deadline; the package ws
// says nothing of it before it is whole. Pure: it walks over lengths and looks at no payload. What is no frame ws finds and ends.
// Invariant: linear in frames, not in bytes.

const FINAL = 0x80
/** Opcodes from here on are control frames, which may stand between the fragments of a message. */
const CONTROL = 0x08
const OPCODE = 0x0f
const MASKED = 0x80
const LENGTH = 0x7f
const LENGTH_16 = 126
const LENGTH_64 = 127
const MASK_BYTES = 4
const LARGEST_HEADER = 14

export class FrameWatch {
  /** The header of the frame at hand, as far as it has come. */
  readonly #header = new Uint8Array(LARGEST_HEADER)
  #headerBytes = 0
  /** Of the payload of the frame at hand, still to come. */
  #left = 0
  #isWithinMessage = false

  /** Whether a frame, or a message of several, has begun that is not whole. */
  get isPartial(): boolean {
    return this.#isWithinMessage || this.#headerBytes > 0 || this.#left > 0
  }

  /** Takes the next bytes of the stream. */
  sees(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at)
        this.#left -= taken
        at += taken
      } else at = this.#takeHeader(chunk, at)
    }
  }

  /** One byte of the header; where it is the last one, the payload begins behind it. */
  #takeHeader(chunk: Uint8Array, at: number): number {
    this.#header[this.#headerBytes] = chunk[at] as number
    this.#headerBytes++
    if (this.#headerBytes < headerLength(this.#header, this.#headerBytes)) return at + 1
    const first = this.#header[0] as number
    if ((first & OPCODE) < CONTROL) this.#isWithinMessage = (first & FINAL) === 0
    this.#left = payloadLength(this.#header)
    this.#headerBytes = 0
    return at + 1
  }
}

/** Bytes of the whole header, or more than there are while its length is not known. */
function headerLength(header: Uint8Array, known: number): number {
  if (known < 2) return 2
  const second = header[1] as number
  const mask = (second & MASKED) === 0 ? 0 : MASK_BYTES
  const length = second & LENGTH
  return 2 + mask + (length === LENGTH_64 ? 8 : length === LENGTH_16 ? 2 : 0)
}

function payloadLength(header: Uint8Array): number {
  const length = (header[1] as number) & LENGTH
  if (length < LENGTH_16) return length
  const bytes = length === LENGTH_16 ? 2 : 8
  let value = 0
  for (let k = 0; k < bytes; k++) value = value * 256 + (header[2 + k] as number)
  return value
}
