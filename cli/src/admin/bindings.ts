// SPDX-License-Identifier: MIT
//
// `tandem bindings export` and `import`: all bindings as NDJSON, one address-of-record a line, through location. An export while phones
// register holds every address-of-record that is bound throughout; times left are those of the moment at which it was read, so that an
// import long after it gives bindings more time than their phones asked for.

import type { Config } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import { type AorBindings, parseLine } from './binding-line.ts'
import { callLocation } from './targets.ts'

const CHUNK = 250
const CALL_MS = 30_000

/** Everything that is bound and wanted, shard after shard. */
export async function* eachHeld(config: Config, isWanted: (aor: string) => boolean): AsyncGenerator<AorBindings> {
  for (let shard = 0, shardCount = 1; shard < shardCount; shard++) {
    const listed = await callLocation(config, 'listAors', { shard }, CALL_MS)
    shardCount = listed.shardCount
    const wanted = listed.aors.filter(isWanted)
    for (let at = 0; at < wanted.length; at += CHUNK) {
      const { aors } = await callLocation(config, 'readBindings', { aors: wanted.slice(at, at + CHUNK) }, CALL_MS)
      yield* aors
    }
  }
}

/** Writes a line for each; returns what to say of it. */
export async function exportBindings(config: Config, write: (line: string) => Promise<void>): Promise<string> {
  const sum = { aors: 0, bindings: 0 }
  for await (const held of eachHeld(config, () => true)) {
    await write(JSON.stringify(held))
    sum.aors++
    sum.bindings += held.bindings.length
  }
  return `${sum.bindings} bindings of ${sum.aors} addresses-of-record`
}

/** Stores what the lines say. The first line that is none ends it, with its number; what came before it is stored. */
export async function importBindings(config: Config, lines: AsyncIterable<string>): Promise<string> {
  const sum = { written: 0, kept: 0 }
  let chunk: AorBindings[] = []
  const flush = async () => {
    const { written, kept } = await callLocation(config, 'writeBindings', { aors: chunk }, CALL_MS)
    sum.written += written
    sum.kept += kept
    chunk = []
  }
  let number = 0
  for await (const line of lines) {
    number++
    if (line.trim() === '') continue
    const held = parseLine(line)
    if (typeof held === 'string')
      throw new CommandFailed(`line ${number}: ${held}; ${sum.written} bindings are stored.`)
    chunk.push(held)
    if (chunk.length === CHUNK) await flush()
  }
  if (chunk.length > 0) await flush()
  return `${sum.written} bindings stored, ${sum.kept} left as they were because something newer is there`
}
