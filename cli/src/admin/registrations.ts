// SPDX-License-Identifier: MIT
//
// `tandem registrations [--domain D] [--count]`: the addresses-of-record that have a binding, or how many there are. Those by
// configuration alone are not counted.
import type { location } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import type { Format } from '../formats.ts'
import { type Row, render } from '../output.ts'
import { eachHeld } from './bindings.ts'
import { callLocation } from './targets.ts'

export interface RegistrationFlags {
  readonly domain: string
  readonly count: boolean
  readonly limit: number
  readonly output: Format
}

/** Shards are asked one after the other: a large store takes its time. */
const COUNT_MS = 60_000

function rowsOf({ aor, bindings }: location.AorBindings): Row[] {
  return bindings.map(({ uri, expiresS, userAgent }) => ({
    aor,
    contact: uri,
    expires: `${expiresS} s`,
    agent: userAgent,
  }))
}

async function countOf(config: Config, { domain, output }: RegistrationFlags): Promise<string> {
  const { count } = await callLocation(config, 'countRegistrations', { domain }, COUNT_MS)
  return output === 'table' ? String(count) : render(output, { domain, count }, [], [])
}

export async function registrations(config: Config, flags: RegistrationFlags): Promise<string> {
  if (flags.count) return countOf(config, flags)
  const held: location.AorBindings[] = []
  const suffix = `@${flags.domain.toLowerCase()}`
  for await (const one of eachHeld(config, (aor) => flags.domain === '' || aor.endsWith(suffix))) {
    held.push(one)
    if (held.length >= flags.limit) break
  }
  return render(flags.output, held, ['aor', 'contact', 'expires', 'agent'], held.flatMap(rowsOf))
}
