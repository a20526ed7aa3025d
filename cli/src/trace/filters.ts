// SPDX-License-Identifier: MIT
//
// `tandem filter`: which messages edges log or mirror for a time, although not all are.
import type { policy } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import { callPolicy } from '../admin/targets.ts'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'

export interface FilterFlags {
  readonly callId: string
  readonly source: string
  readonly user: string
  /** Such as 90s, 10m, 1h. */
  readonly for: string
  readonly to: readonly string[]
}

const COLUMNS = ['edge', 'callId', 'source', 'user', 'to', 'left']
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 }
const MAX_MS = 86_400_000

export async function setFilter(config: Config, flags: FilterFlags, format: Format): Promise<string> {
  const { callId, source, user, to } = flags
  if (callId === '' && source === '' && user === '') {
    throw new CommandFailed(
      'Say whose messages: --call-id, --source or --user. All messages at once would drown the log.',
    )
  }
  const filter = { callId, source, user, targets: [...to], forMs: durationOf(flags.for) }
  return show(await callPolicy(config, 'setMessageFilter', { filter }), format)
}

export async function listFilters(config: Config, format: Format): Promise<string> {
  return show(await callPolicy(config, 'listMessageFilters', {}), format)
}

export async function clearFilters(config: Config, format: Format): Promise<string> {
  return show(await callPolicy(config, 'clearMessageFilters', {}), format)
}

function durationOf(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,6})([smh])$/.exec(text) ?? []
  const ms = Number(digits) * (UNITS[unit] ?? Number.NaN)
  if (!(ms > 0 && ms <= MAX_MS)) throw new CommandFailed(`--for ${text}: expected such as 90s, 10m, 1h, a day at most.`)
  return ms
}

function show({ edges, silent }: policy.MessageFiltersResponse, format: Format): string {
  if (edges.length === 0) throw new CommandFailed('No edge has answered: none is connected to policy, or all are busy.')
  const rows = edges.flatMap(({ edge, filters }) =>
    filters.map(({ callId, source, user, targets, forMs }) => {
      return { edge, callId, source, user, to: targets.join(','), left: `${Math.round(forMs / 1_000)} s` }
    }),
  )
  const data = { edges: edges.map(({ edge, filters }) => ({ edge, filters })), silent }
  const table = render(format, data, COLUMNS, rows)
  if (format !== 'table') return table
  const missing = silent.length === 0 ? '' : `\nNot answered: ${silent.join(', ')}.`
  return rows.length === 0
    ? `No filter is set at ${edges.map(({ edge }) => edge).join(', ')}.${missing}`
    : table + missing
}
