// SPDX-License-Identifier: MIT
//
// npm run soak [-- <calls>]: a million calls by default, a table of what is held every 50,000 of them, and 1 where memory grows. The first
// samples are left out of the trend: caches and compiled code still fill up there.
import { type SoakSample, soak, trend } from './soak.ts'

const calls = Number(process.argv[2] ?? 1_000_000)
const SAMPLE_EVERY = 50_000
/**
 * Bytes of heap and of buffers that one call may leave behind by the trend. A leak of one entry of a table is 100 at least; a short run
 * may show more, for its samples lie close together and compiled code still comes.
 */
const MOST_BYTES_PER_CALL = calls >= 500_000 ? 2 : 64
const WARM_UP_CALLS = 100_000

const MIB = 1 << 20
const mib = (bytes: number): string => (bytes / MIB).toFixed(1).padStart(9)

function row(sample: SoakSample): string {
  const { heapBytes, externalBytes, residentBytes, serverTransactions, clientTransactions, finishedCalls } = sample
  const memory = [heapBytes, externalBytes, residentBytes, sample.keptBytes].map(mib).join(' |')
  const counts = [serverTransactions, clientTransactions, finishedCalls].map((n) => String(n).padStart(7)).join(' |')
  return `| ${String(sample.calls).padStart(9)} |${memory} |${counts} |`
}

console.log('|     calls | heap MiB | external | resident | kept msg | servers | clients | records |')
console.log('|----------:|---------:|---------:|---------:|---------:|--------:|--------:|--------:|')
const outcome = await soak({
  calls,
  sampleEvery: Math.min(SAMPLE_EVERY, Math.ceil(calls / 20)),
  callsPerSecond: 100,
  warmUpCalls: Math.min(WARM_UP_CALLS, (calls * 3) / 5),
  onSample: (sample) => console.log(row(sample)),
})

const { samples, answered, ended, records, left, problems, cpuMsPerCall } = outcome
const heapTrend = trend(samples, (sample) => sample.heapBytes)
const externalTrend = trend(samples, (sample) => sample.externalBytes)
console.log(`calls answered ${answered}, ended ${ended}, records taken ${records}, left at the end ${left}`)
console.log(`CPU per call, phones and collections included: ${(cpuMsPerCall * 1_000).toFixed(0)} µs`)
console.log(
  `trend: heap ${heapTrend.toFixed(2)}, buffers ${externalTrend.toFixed(2)} bytes per call; bound ${MOST_BYTES_PER_CALL}`,
)

const complete = answered === calls && ended === calls && records === calls && left.every((count) => count === 0)
const flat = heapTrend < MOST_BYTES_PER_CALL && externalTrend < MOST_BYTES_PER_CALL
for (const problem of problems) console.error(problem)
if (!complete) console.error('soak: not every call went through, or something of them is left')
if (!flat) console.error('soak: memory grows')
process.exitCode = complete && flat && problems.length === 0 ? 0 : 1
