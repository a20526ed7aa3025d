// SPDX-License-Identifier: MIT
// One million mutated messages through all of @tandem/sip that untrusted bytes reach, and streams of them cut anywhere. A failure says how
// it is replayed. TANDEM_FUZZ_COUNT makes the run longer or shorter, TANDEM_FUZZ_SEED gives it other messages.
// Not tested here: whether the verdicts are right (torture.test.ts, corpora.test.ts); the edge (edge.test.ts).
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { FRAME, StreamFramer } from '@tandem/sip'
import { createRandom } from '@tandem/test-kit'
import { describe, expect, it } from 'vitest'
import { mutate } from './mutator.ts'
import { corporaPool, ownPool } from './pools.ts'
import type { FuzzOutcome } from './run-messages.ts'

const FIRST_SEED = Number(process.env.TANDEM_FUZZ_SEED ?? 1)
const COUNT = Number(process.env.TANDEM_FUZZ_COUNT ?? 1_000_000)
const MOST_GROWTH_BYTES = 4 << 20

const own = ownPool()
const pools = corporaPool() === undefined ? ['own'] : ['own', 'corpora']
const share = Math.ceil(COUNT / pools.length)
const PROGRAM = join(import.meta.dirname, 'run-messages.ts')

async function run(pool: string): Promise<FuzzOutcome> {
  const args = ['--conditions=@tandem/source', PROGRAM, pool, String(FIRST_SEED), String(share)]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as FuzzOutcome
}

describe('mutated messages', () => {
  it.each(pools)(`%s: ${share} of them, no throw, no hang, no growth`, { timeout: 300_000 }, async (pool) => {
    const { accepted, heapBytes } = await run(pool)
    // The mutator would be too wild if next to nothing got past the scan, too tame if nearly everything did.
    expect(accepted / share).toBeGreaterThan(0.15)
    expect(accepted / share).toBeLessThan(0.85)
    expect((heapBytes.at(-1) as number) - (heapBytes[0] as number), `heap ${heapBytes}`).toBeLessThan(MOST_GROWTH_BYTES)
  })

  it('the same seed gives the same bytes, another one others', () => {
    expect(mutate(own.messages, 4_711).equals(mutate(own.messages, 4_711))).toBe(true)
    const different = new Set(Array.from({ length: 1_000 }, (_, seed) => mutate(own.messages, seed).toString('latin1')))
    expect(different.size).toBeGreaterThan(950)
  })
})

/** Messages, and the error at the end; keep-alives are left out, for one that is cut in two is counted at another place. */
function framed(stream: Buffer, cuts: readonly number[]): string[] {
  const framer = new StreamFramer()
  const found: string[] = []
  let at = 0
  for (const cut of [...cuts, stream.length]) {
    // A chunk of its own: the framer may not look at what comes behind it.
    framer.push(Buffer.from(stream.subarray(at, cut)))
    at = cut
    for (let frame = framer.next(); frame !== FRAME.NONE; frame = framer.next()) {
      if (frame === FRAME.MESSAGE) found.push(framer.buf.toString('latin1', framer.start, framer.end))
      if (frame === FRAME.ERROR) return [...found, `error ${framer.error}`]
    }
  }
  return [...found, `left ${framer.isPartial}`]
}

describe('streams of mutated messages', () => {
  const streams = Math.min(COUNT, 5_000)

  it(`${streams} of them, cut anywhere, give the same as in one piece`, { timeout: 120_000 }, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + streams; seed++) {
      const random = createRandom(seed ^ 0x5151)
      const parts = Array.from({ length: 3 }, (_, k) =>
        random() < 0.6
          ? (own.messages[Math.floor(random() * own.messages.length)] as Buffer)
          : mutate(own.messages, seed * 3 + k),
      )
      const stream = Buffer.concat(parts)
      const cuts = Array.from({ length: Math.floor(random() * 8) }, () => Math.floor(random() * stream.length))
      const sorted = cuts.sort((a, b) => a - b)
      try {
        expect(framed(stream, sorted)).toEqual(framed(stream, []))
      } catch (error) {
        throw new Error(`seed ${seed}, cuts ${sorted}: ${error}\n${JSON.stringify(stream.toString('latin1'))}`)
      }
    }
  })
})
