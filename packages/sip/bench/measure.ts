// SPDX-License-Identifier: MIT
// Plain loops, all candidates in turn in each round, the median round of each: a slow moment of the machine hits all alike.
// CPU time of the process, user and system, so that what else the machine runs costs less of the truth than wall time would.

export interface Candidate {
  readonly name: string
  /** Runs the work `times` times. */
  readonly run: (times: number) => void
  readonly times: number
}

export interface Measured {
  readonly name: string
  readonly medianNs: number
  readonly bestNs: number
}

/** CPU time of this process so far, in milliseconds. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

export function measure(candidates: readonly Candidate[], rounds: number): Measured[] {
  const samples = candidates.map(() => [] as number[])
  for (const candidate of candidates) candidate.run(candidate.times)
  for (let round = 0; round < rounds; round++) {
    candidates.forEach((candidate, k) => {
      const before = cpuMs()
      candidate.run(candidate.times)
      samples[k]?.push(((cpuMs() - before) * 1e6) / candidate.times)
    })
  }
  return candidates.map(({ name }, k) => {
    const sorted = (samples[k] ?? []).sort((a, b) => a - b)
    return { name, medianNs: Math.round(sorted[sorted.length >> 1] ?? 0), bestNs: Math.round(sorted[0] ?? 0) }
  })
}
