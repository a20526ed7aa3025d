// SPDX-License-Identifier: MIT
//
// `tandem bans`: who is banned for wrong passwords, or by a person; one more (`add`), one less (`lift`).
import type { policy } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { callPolicy } from './targets.ts'

const COLUMNS = ['kind', 'source', 'user', 'cause', 'level', 'since', 'left', 'local']
const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** `90s`, `10m`, `1h`, `2d`, several together; undefined for what is none. */
export function parseTime(text: string): number | undefined {
  if (!/^(\d{1,6}[smhd])+$/.test(text)) return undefined
  let sum = 0
  for (const [, count, unit] of text.matchAll(/(\d+)([smhd])/g)) {
    sum += Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS]
  }
  return sum
}

/** In the two largest units: `1h 5m`. */
export function formatTime(ms: number): string {
  let left = Math.ceil(ms / 1_000) * 1_000
  const parts: string[] = []
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const count = Math.floor(left / UNITS_MS[unit])
    left -= count * UNITS_MS[unit]
    if (count > 0) parts.push(`${count}${unit}`)
  }
  return parts.slice(0, 2).join(' ') || '0s'
}

const rowOf = ({ kind, source, user, cause, level, sinceUnixMs, leftMs, local }: policy.Ban) => ({
  kind,
  source,
  user,
  cause,
  level,
  since: new Date(Number(sinceUnixMs)).toISOString(),
  left: formatTime(Number(leftMs)),
  local: local ? 'yes' : '',
})

export async function listBans(config: Config, limit: number, format: Format): Promise<string> {
  const { bans, truncated } = await callPolicy(config, 'listBans', { limit })
  const text = render(format, bans, COLUMNS, bans.map(rowOf))
  return truncated && format === 'table' ? `${text}\n(more: raise --limit)` : text
}

export async function addBan(config: Config, address: string, time: string, format: Format): Promise<string> {
  const forMs = parseTime(time)
  if (forMs === undefined) throw new CommandFailed(`${time} is no time: expected such as 90s, 10m, 1h or 2d.`)
  const ban = await callPolicy(config, 'addBan', { address, forMs: BigInt(forMs) })
  return render(format, ban, COLUMNS, [rowOf(ban)])
}

/** Throws `CommandFailed` where nothing is banned of it. */
export async function liftBan(config: Config, target: string, format: Format): Promise<string> {
  const { lifted } = await callPolicy(config, 'liftBan', { target })
  if (lifted === 0) throw new CommandFailed(`${target} is not banned. \`tandem bans\` shows who is.`)
  return render(format, { target, lifted }, ['target', 'lifted'], [{ target, lifted }])
}
