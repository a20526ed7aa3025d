// SPDX-License-Identifier: MIT
// What both stores of resources check and write alike.

import { RESOURCE_BOUNDS, type ResourceWrite } from './resource-store.ts'
import { notStored, type Stored } from './result.ts'

const STAGE = /^[A-Za-z0-9]{8,64}$/

/** undefined: it may be stored. */
export function chunkObjection(stage: string, writes: readonly ResourceWrite[]): Stored<never> | undefined {
  const { chunkWrites, textBytes, chunkBytes } = RESOURCE_BOUNDS
  if (!STAGE.test(stage)) return notStored('invalid', 'the name of a stage is letters and digits')
  if (writes.length > chunkWrites) return notStored('invalid', `a chunk has at most ${chunkWrites} documents`)
  let bytes = 0
  for (const [key, text] of writes) {
    const length = Buffer.byteLength(text)
    bytes += length
    if (length > textBytes) return notStored('invalid', `${key}: a document has at most ${textBytes} bytes`)
  }
  // One document of the greatest length may go alone.
  return bytes > chunkBytes + textBytes ? notStored('invalid', `a chunk has at most ${chunkBytes} bytes`) : undefined
}

/** Chunks within the bounds, in order. */
export function chunksOf(writes: readonly ResourceWrite[]): ResourceWrite[][] {
  const chunks: ResourceWrite[][] = []
  let bytes = 0
  for (const write of writes) {
    const last = chunks.at(-1)
    const length = Buffer.byteLength(write[1])
    if (
      last === undefined ||
      last.length >= RESOURCE_BOUNDS.chunkWrites ||
      bytes + length > RESOURCE_BOUNDS.chunkBytes
    ) {
      chunks.push([write])
      bytes = length
    } else {
      last.push(write)
      bytes += length
    }
  }
  return chunks
}

export const encodeChunk = (writes: readonly ResourceWrite[]): string => JSON.stringify(writes)

/** Throws for what `encodeChunk` did not make. */
export function decodeChunk(text: string): ResourceWrite[] {
  return JSON.parse(text) as ResourceWrite[]
}
