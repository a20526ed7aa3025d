// SPDX-License-Identifier: MIT
//
// Reads the heads of the lines of a file, in order, in linear time and constant memory whatever the length of a line.
import { createReadStream } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'

const LF = 0x0a
const CHUNK_BYTES = 1_048_576
/** A line's key lies within its first bytes; the rest of a line is not looked at. */
const HEAD_BYTES = 1_024

/** Cuts chunks of any size into heads of lines. */
class LineHeads {
  readonly #onHead: (head: string) => void
  #carried = Buffer.alloc(0)
  #offset = 0
  /** Offset behind the last line feed. */
  wholeEnd = 0

  constructor(onHead: (head: string) => void) {
    this.#onHead = onHead
  }

  push(chunk: Buffer): void {
    let from = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
      this.#onHead(head(this.#carried, chunk, from, end).toString('utf8'))
      this.#carried = Buffer.alloc(0)
      from = end + 1
      this.wholeEnd = this.#offset + from
    }
    this.#carried = Buffer.from(head(this.#carried, chunk, from, chunk.length))
    this.#offset += chunk.length
  }
}

/** Calls `onHead` for every whole line; returns the offset behind the last line feed. */
export async function scanLines(handle: FileHandle, onHead: (head: string) => void): Promise<number> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  const heads = new LineHeads(onHead)
  for (let offset = 0; ; ) {
    const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, offset)
    if (bytesRead === 0) return heads.wholeEnd
    heads.push(chunk.subarray(0, bytesRead))
    offset += bytesRead
  }
}

/** The same of a file that gzip made. */
export async function scanCompressedLines(path: string, onHead: (head: string) => void): Promise<void> {
  const heads = new LineHeads(onHead)
  const source = createReadStream(path)
  const plain = source.pipe(createGunzip())
  source.on('error', (error) => plain.destroy(error))
  for await (const chunk of plain) heads.push(chunk as Buffer)
}

function head(carried: Buffer, chunk: Buffer, from: number, end: number): Buffer {
  const part = chunk.subarray(from, Math.max(from, Math.min(end, from + HEAD_BYTES - carried.length)))
  return carried.length === 0 ? part : Buffer.concat([carried, part])
}
