// SPDX-License-Identifier: MIT
//
// `tandem calls`: calls on record that have not ended, newest first.
import type { policy } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { callPolicy } from './targets.ts'

const COLUMNS = ['ref', 'state', 'since', 'from', 'to', 'edge']

const timeOf = (unixMs: bigint): string => new Date(Number(unixMs)).toISOString()

function row({ callRef, state, call, setupUnixMs, answeredUnixMs }: policy.LiveCall) {
  const since = timeOf(answeredUnixMs > 0n ? answeredUnixMs : setupUnixMs)
  return { ref: callRef, state, since, from: call?.fromUri ?? '', to: call?.toUri ?? '', edge: call?.edgeId ?? '' }
}

export async function calls(config: Config, limit: number, format: Format): Promise<string> {
  const { calls: live } = await callPolicy(config, 'listCalls', { limit })
  return render(format, live, COLUMNS, live.map(row))
}
