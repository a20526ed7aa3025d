// SPDX-License-Identifier: MIT
//
// node --conditions=@tandem/source test/fuzz/run-messages.ts <pool> <first seed> <count>
// Takes mutated messages apart, one per seed, and prints one line of JSON. It ends with 1 at the first that throws or takes too long, and
// says how to replay it. A program of its own, for what a test runner does to modules costs four times the work itself.
import { SCAN_ERROR } from '@tandem/sip'
import { buildRequest } from '@tandem/test-kit'
import { sampleMemory } from '../support/heap.ts'
import { mutate } from './mutator.ts'
import { corporaPool, ownPool, type Pool } from './pools.ts'
import { takeApart } from './take-apart.ts'

export interface FuzzOutcome {
  readonly accepted: number
  readonly slowestMs: number
  /** After a collection, at five points of the run, the first one after a fifth of it. */
  readonly heapBytes: readonly number[]
}

/** One message may take this long, on a machine that many share: far above what any takes, far below a hang. */
const MOST_MS = 1_000
const SAMPLES = 5
/** A message that is good comes after every so many. */
const GOOD_EVERY = 32

/** In a buffer of the reader's own, at a changing offset, with the rest of earlier messages behind it: reading too far is found. */
const arena = Buffer.alloc(70_000, 0x41)
const good = Buffer.from(buildRequest(), 'latin1')
let accepted = 0
let slowestMs = 0

function takeOne(pool: Pool, seed: number): void {
  const bytes = mutate(pool.messages, seed)
  const start = seed % 97
  const end = start + bytes.copy(arena, start)
  const began = performance.now()
  try {
    if (takeApart(arena, start, end) === SCAN_ERROR.NONE) accepted += 1
    slowestMs = Math.max(slowestMs, performance.now() - began)
    if (slowestMs > MOST_MS) throw new Error(`took ${slowestMs} ms`)
    if (seed % GOOD_EVERY === 0 && takeApart(good, 0, good.length) !== SCAN_ERROR.NONE)
      throw new Error('the next good message is refused')
  } catch (error) {
    const replay = `node --conditions=@tandem/source test/fuzz/run-messages.ts ${pool.name} ${seed} 1`
    console.error(`replay: ${replay}\n${JSON.stringify(bytes.toString('latin1').slice(0, 2_000))}`)
    throw error
  }
}

async function run(pool: Pool, first: number, count: number): Promise<FuzzOutcome> {
  const heapBytes: number[] = []
  const piece = Math.ceil(count / SAMPLES)
  for (let seed = first; seed < first + count; seed++) {
    takeOne(pool, seed)
    if ((seed - first + 1) % piece === 0) heapBytes.push((await sampleMemory()).heapBytes)
  }
  return { accepted, slowestMs, heapBytes }
}

const [name, first = '1', count = '1000'] = process.argv.slice(2)
const pool = [ownPool(), corporaPool()].find((candidate) => candidate?.name === name)
if (pool === undefined) throw new Error(`no pool is called ${name}, or its folder is not there`)
console.log(JSON.stringify(await run(pool, Number(first), Number(count))))
