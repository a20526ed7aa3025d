// SPDX-License-Identifier: MIT
// A run in lines to read, and what is wrong with it.
import { beyond, PROMISED } from '../chaos/support/judge.ts'
import type { OpsOptions, OpsOutcome } from './ops.ts'

/** Until another master of Redis answers, calls on record can't begin: what is promised then is that nothing is lost. */
const WHILE_REDIS_IS_AWAY = 1

function counts(of: Readonly<Record<string, number>>): string {
  const parts = Object.entries(of).map(([what, count]) => `${what}: ${count}`)
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`
}

export function report({ figures, steps, isCovered }: OpsOutcome): string[] {
  const { attempted, setupsFailed, setupMs } = figures
  const share = attempted === 0 ? '' : `, ${((100 * setupsFailed) / attempted).toFixed(2)} %`
  return [
    ...steps.map(({ what, atMs, tookMs }) => `${String(atMs).padStart(7)} ms  ${what}, ${tookMs} ms`),
    `calls until the last step    ${isCovered ? 'yes' : 'no'}`,
    `calls attempted              ${attempted}`,
    `set-ups failed               ${setupsFailed}${share}${counts(figures.failures)}`,
    `calls answered               ${figures.answered}`,
    `established calls lost       ${figures.establishedLost}${counts(figures.losses)}`,
    `answered without a record    ${figures.withoutRecord}`,
    `answered, recorded otherwise ${figures.recordedUnanswered}`,
    `calls with two records       ${figures.withTwoRecords}`,
    `set-up time, ms              median ${setupMs.median}, p99 ${setupMs.p99}, longest ${setupMs.max}`,
  ]
}

/** A sentence for each thing that is not as promised. @param setupsFailedShare of all calls, where it is not the promised one */
export function wrongWith(
  { scenario }: Pick<OpsOptions, 'scenario'>,
  { figures, faults, ends, isCovered }: OpsOutcome,
  setupsFailedShare = scenario === 'redis' ? WHILE_REDIS_IS_AWAY : PROMISED.setupsFailedShare,
): string[] {
  const late = ends.filter(({ code }) => code === null).map(({ name }) => `${name} did not end by itself`)
  const uncovered = isCovered ? [] : ['no calls were begun any more when the last step ended: --seconds is too low']
  return [...beyond(figures, { ...PROMISED, setupsFailedShare }), ...faults, ...late, ...uncovered]
}
