// SPDX-License-Identifier: MIT
// A run in lines to read.
import type { ChaosOutcome } from '../any-edge.ts'

/** What edges count of messages that came to another edge than the owner's, and of owners that are gone. */
const TOLD = /relay|adopt|stray|stateless_responses|elsewhere|directory/

function counts(of: Readonly<Record<string, number>>): string {
  const parts = Object.entries(of).map(([what, count]) => `${what}: ${count}`)
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`
}

export function report({ figures, kills, metrics }: ChaosOutcome): string[] {
  const { attempted, setupsFailed, setupMs } = figures
  const share = attempted === 0 ? '' : `, ${((100 * setupsFailed) / attempted).toFixed(2)} %`
  const plan = kills.map(({ edge, atMs, readyMs }) => `edge ${edge} at ${atMs} ms, ready after ${readyMs}`)
  const told = [...metrics].filter(([name, value]) => TOLD.test(name) && value > 0 && !name.includes('_bucket'))
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
    ...told.map(([name, value]) => `${name} ${value}`),
  ]
}
