// SPDX-License-Identifier: MIT
//
// Reads the heads of the lines of a file, in order, in linear time and constant memory whatever the length of a line.
import type { FileHandle } from 'node:fs/promises'

const LF = 0x0a
const CHUNK_BYTES = 1_048_576
/** A line's key lies within its first bytes; the rest of a line is not looked at. */
const HEAD_BYTES = 1_024

/** Calls `onHead` for every whole line; returns the offset behind the last line feed. */
export async function scanLines(handle: FileHandle, onHead: (head: string) => void): Promise<number> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  let carried = Buffer.alloc(0)
  let offset = 0
  let wholeEnd = 0
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, offset)
    if (bytesRead === 0) return wholeEnd
    let from = 0
    for (let end = find(chunk, from, bytesRead); end >= 0; end = find(chunk, from, bytesRead)) {
      onHead(head(carried, chunk, from, end).toString('utf8'))
      carried = Buffer.alloc(0)
      from = end + 1
      wholeEnd = offset + from
    }
    carried = Buffer.from(head(carried, chunk, from, bytesRead))
    offset += bytesRead
  }
}

function find(chunk: Buffer, from: number, length: number): number {
  const at = chunk.indexOf(LF, from)
  return at < length ? at : -1
}

function head(carried: Buffer, chunk: Buffer, from: number, end: number): Buffer {
  const part = chunk.subarray(from, Math.min(end, from + HEAD_BYTES - carried.length))
  return carried.length === 0 ? part : Buffer.concat([carried, part])
}
