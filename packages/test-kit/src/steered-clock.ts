// SPDX-License-Identifier: MIT
// A wall clock for a server under test that stands still and moves when the test says so: a small library in C, compiled here and
// preloaded, reads the time from a file that the test writes. Linux and a C compiler; where there is none the reason is a sentence.
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Availability, findProgram } from './program.ts'

const SOURCE = fileURLToPath(new URL('../native/steered-clock.c', import.meta.url))

export interface SteeredClock {
  /** Environment of a process that is to live by this clock. */
  readonly env: Readonly<Record<string, string>>
  /** Milliseconds since 1970. */
  readonly nowMs: number
  advance(ms: number): void
  /** Removes its files; processes that have them keep them. */
  close(): void
}

export function steeredClockAvailable(): Availability {
  if (process.platform !== 'linux') return { available: false, reason: 'a steered clock needs Linux' }
  return findProgram(['cc', 'gcc', 'clang'], 'gcc')
}

/** @throws where the library can't be compiled, with what the compiler says */
export function createSteeredClock(startMs: number): SteeredClock {
  const compiler = steeredClockAvailable()
  if (!compiler.available) throw new Error(compiler.reason)
  const folder = mkdtempSync(join(tmpdir(), 'tandem-clock-'))
  const library = join(folder, 'steered-clock.so')
  const built = spawnSync(compiler.path, ['-shared', '-fPIC', '-O1', '-o', library, SOURCE], { encoding: 'utf8' })
  if (built.status !== 0) throw new Error(`steered-clock.c: ${built.stderr}`)
  const name = join(folder, 'now')
  const file = openSync(name, 'w+')
  const bytes = Buffer.alloc(8)
  let nowMs = 0
  const moveTo = (ms: number): void => {
    nowMs = ms
    bytes.writeBigInt64LE(BigInt(ms) * 1_000n)
    writeSync(file, bytes, 0, bytes.length, 0)
  }
  moveTo(startMs)
  return {
    env: { LD_PRELOAD: library, STEERED_CLOCK_FILE: name },
    get nowMs() {
      return nowMs
    },
    advance: (ms) => moveTo(nowMs + ms),
    close: () => {
      closeSync(file)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
