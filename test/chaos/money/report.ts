// SPDX-License-Identifier: MIT
// A money run in lines to read.
import type { MoneyOutcome } from './money.ts'

const counts = (of: Readonly<Record<string, number>>): string =>
  Object.entries(of)
    .map(([status, count]) => `${status === '0' ? 'none' : status}: ${count}`)
    .join(', ')

export function report({ figures, kills, doctor, settledMs }: MoneyOutcome): string[] {
  const { attempted, answered, compared, withinTenthMs, furthestMs } = figures
  return [
    `calls attempted              ${attempted}`,
    `calls answered               ${answered}`,
    `not answered, by status      ${counts(figures.failures)}`,
    `records                      ${figures.records}, ${figures.corrections} of them corrections, ${figures.recovered} recovered`,
    `ended by the cluster         ${figures.cutOff}`,
    `talk not billed              ${figures.unbilledCalls} calls, ${figures.unbilledMs} ms`,
    `lengths compared             ${compared}, ${withinTenthMs} within 0.1 s, the furthest ${furthestMs} ms off`,
    `charged, micro-units         ${figures.charged}`,
    `nothing held after           ${Math.round(settledMs / 1_000)} s`,
    `doctor                       ${doctor.status}: ${/^.*ledgers.*$/m.exec(doctor.output)?.[0] ?? doctor.output}`,
    `kills                        ${kills.length} (${kills.map(({ name, atMs, backMs }) => `${name} at ${atMs} ms, back after ${backMs}`).join('; ')})`,
    `wrong                        ${figures.wrong.length}`,
  ]
}

/** What is wrong, a sentence each; nothing for a run that is right. */
export function verdictOf({ figures, doctor }: MoneyOutcome): string[] {
  const wrong = [...figures.wrong]
  if (figures.attempted === 0) wrong.push('no call was attempted')
  if (doctor.status !== 0) wrong.push(`doctor says ${doctor.status}\n${doctor.output}`)
  return wrong
}
