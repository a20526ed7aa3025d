// SPDX-License-Identifier: MIT
//
// What is really held: memory after a forced collection, in whatever process this runs, with or without --expose-gc.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface MemorySample {
  readonly heapBytes: number
  /** Buffers: outside of the heap. */
  readonly externalBytes: number
  readonly residentBytes: number
}

let collect: (() => void) | undefined

function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

/** Collects twice: what finalizers let go of goes with the second. */
export async function sampleMemory(): Promise<MemorySample> {
  collect ??= collector()
  collect()
  await new Promise(setImmediate)
  collect()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heapBytes: heapUsed, externalBytes: external, residentBytes: rss }
}
