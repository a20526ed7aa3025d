// SPDX-License-Identifier: MIT
// A script: its source, its hash, whether it writes. Every operation of the Redis store is one script on one slot.
// Sources are joined with the few functions that all share. Integers leave Lua as "%.0f" text, never by concatenation.

import { createHash } from 'node:crypto'

export interface Script {
  readonly name: string
  readonly source: string
  readonly sha: string
  readonly writes: boolean
  /** Nobody is kept by it: it waits a moment for others to go with. */
  readonly isPatient: boolean
}

const SHARED = `
local function now()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
local function int(n) return string.format('%.0f', n) end
`

export function script(name: string, access: 'reads' | 'writes' | 'writes later', ...parts: readonly string[]): Script {
  const source = [SHARED, ...parts].join('\n')
  const sha = createHash('sha1').update(source).digest('hex')
  return { name, source, sha, writes: access !== 'reads', isPatient: access === 'writes later' }
}
