// SPDX-License-Identifier: MIT
//
// Encodes one message at a time with a writer that keeps its buffer: a fresh writer per item spends most of its time growing
// (bench/items.ts, "in process, encoded"). A writer that threw or grew large is given up. Not reentrant, and needs not be: the
// generated encoders call nothing of ours.
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { Codec } from './service.ts'

const KEEP_MAX_BYTES = 65_536

export class ItemEncoder {
  #writer: BinaryWriter | undefined

  /** A copy of its own. Throws where a field does not fit its type. */
  encode<T>(codec: Codec<T>, message: T): Uint8Array {
    const writer = this.#writer ?? new BinaryWriter()
    this.#writer = undefined
    const bytes = codec.encode(message, writer).finish()
    if (bytes.length <= KEEP_MAX_BYTES) this.#writer = writer
    return bytes
  }
}
