// SPDX-License-Identifier: MIT
//
// The last lines of a file, read backwards in blocks: its length does not matter. Bounded by lines and by bytes.
import { open } from 'node:fs/promises'

const BLOCK_BYTES = 65_536
const LF = 0x0a

export const MAX_TAIL_LINES = 1_000
const MAX_TAIL_BYTES = 8_388_608

/** Whole lines, oldest first, each with its line feed; '' where there is no file. At most 8 MiB are read. */
export async function readTail(path: string, limit: number): Promise<string> {
  const wanted = Math.min(limit, MAX_TAIL_LINES)
  try {
    const handle = await open(path, 'r')
    try {
      return await readBackwards(
        (buffer, at) => handle.read(buffer, 0, buffer.length, at),
        (await handle.stat()).size,
        wanted,
      )
    } finally {
      await handle.close()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

type ReadAt = (buffer: Buffer, at: number) => Promise<unknown>

async function readBackwards(readAt: ReadAt, size: number, wanted: number): Promise<string> {
  let text = Buffer.alloc(0)
  let at = size
  while (at > 0 && text.length < MAX_TAIL_BYTES) {
    const block = Buffer.alloc(Math.min(BLOCK_BYTES, at))
    at -= block.length
    await readAt(block, at)
    text = Buffer.concat([block, text])
    // One more line feed than lines: the one in front of the first.
    if (countLineFeeds(text) > wanted) break
  }
  return lastLines(text, wanted, at === 0)
}

function countLineFeeds(text: Buffer): number {
  let count = 0
  for (let at = text.indexOf(LF); at >= 0; at = text.indexOf(LF, at + 1)) count++
  return count
}

function lastLines(text: Buffer, wanted: number, isWholeFile: boolean): string {
  const end = text.lastIndexOf(LF) + 1
  let start = end
  for (let lines = 0; lines < wanted && start > 0; lines++) {
    const before = start >= 2 ? text.lastIndexOf(LF, start - 2) : -1
    if (before < 0 && !isWholeFile) break
    start = before + 1
  }
  return text.toString('utf8', start, end)
}
