// SPDX-License-Identifier: MIT
// A run in lines to read.
import type { ChaosOutcome } from '../any-edge.ts'

/** What edges count of messages that came to another edge than the owner's, and of owners that are gone. */
const TOLD = /relay|adopt|surrender|late|stray|stateless_responses|elsewhere|directory/

function counts(of: Readonly<Record<string, number>>): string {
  const parts = Object.entries(of).map(([what, count]) => `${what}: ${count}`)
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`
}

/** Upper bound of the bucket that holds this share of a histogram, in ms. */
function quantileMs(metrics: ReadonlyMap<string, number>, name: string, share: number): string {
  const count = metrics.get(`${name}_count`) ?? 0
  for (const [key, value] of metrics) {
    const bound = new RegExp(`^${name}_bucket{le="([\\d.]+)"}$`).exec(key)?.[1]
    if (bound !== undefined && value >= share * count) return `${Math.round(Number(bound) * 10_000) / 10} ms`
  }
  return 'more than that'
}

function timeOf(metrics: ReadonlyMap<string, number>, name: string): string {
  const count = metrics.get(`${name}_count`) ?? 0
  if (count === 0) return 'none'
  return `${count}: half within ${quantileMs(metrics, name, 0.5)}, 99 % within ${quantileMs(metrics, name, 0.99)}`
}

export function report({ figures, kills, metrics }: ChaosOutcome): string[] {
  const { attempted, setupsFailed, setupMs } = figures
  const share = attempted === 0 ? '' : `, ${((100 * setupsFailed) / attempted).toFixed(2)} %`
  const plan = kills.map(({ edge, atMs, readyMs }) => `edge ${edge} at ${atMs} ms, ready after ${readyMs}`)
  const told = [...metrics].filter(([name, value]) => TOLD.test(name) && value > 0 && !name.includes('_seconds_'))
  return [
    `calls attempted              ${attempted}`,
    `set-ups failed               ${setupsFailed}${share}${counts(figures.failures)}`,
    `calls answered               ${figures.answered}`,
    `established calls lost       ${figures.establishedLost}${counts(figures.losses)}`,
    `answered without a record    ${figures.withoutRecord}`,
    `answered, recorded otherwise ${figures.recordedUnanswered}`,
    `calls with two records       ${figures.withTwoRecords}`,
    `kills                        ${kills.length}${kills.length === 0 ? '' : ` (${plan.join('; ')})`}`,
    `set-up time, ms              median ${setupMs.median}, p99 ${setupMs.p99}, longest ${setupMs.max}`,
    `relays acknowledged          ${timeOf(metrics, 'tandem_edge_relay_seconds')}`,
    `adoptions, from first sign   ${timeOf(metrics, 'tandem_edge_adoption_seconds')}`,
    ...told.map(([name, value]) => `${name} ${value}`),
  ]
}
