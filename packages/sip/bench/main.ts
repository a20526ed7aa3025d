// SPDX-License-Identifier: MIT
// Prints what parsing, encoding and framing cost, and writes results/parse.json.
// Run: npm ci --ignore-scripts && npm run bench
import { writeFileSync } from 'node:fs'
import { frameStream } from './framing.ts'
import { type Measured, measure } from './measure.ts'
import { INVITE, INVITE_WITH_ROUTE } from './messages.ts'
import { forwarding, parsers, sink } from './parsers.ts'

const ROUNDS = 15
const MEGABYTE = 1_000_000

function print(title: string, rows: readonly Measured[]): void {
  const ours = rows[0]?.medianNs ?? 1
  console.log(`\n${title}`)
  for (const { name, medianNs, bestNs } of rows) {
    const ratio = `${(medianNs / ours).toFixed(1)} ×`
    console.log(
      `  ${name.padEnd(40)} ${String(medianNs).padStart(8)} ns  best ${String(bestNs).padStart(8)} ns  ${ratio}`,
    )
  }
}

const plain = measure(await parsers(INVITE), ROUNDS)
print(`INVITE of ${INVITE.length} bytes, from bytes to fields`, plain)
const routed = measure(await parsers(INVITE_WITH_ROUTE), ROUNDS)
print(`INVITE with Route, ${INVITE_WITH_ROUTE.length} bytes`, routed)
const encode = measure([forwarding(INVITE)], ROUNDS)
print('Encode', encode)

function median(run: () => number, times: number): number {
  const samples = Array.from({ length: times }, run).sort((a, b) => a - b)
  return samples[times >> 1] ?? 0
}
frameStream(INVITE, 5 * MEGABYTE)
const small = median(() => frameStream(INVITE, 10 * MEGABYTE).ms, 9)
const large = median(() => frameStream(INVITE, 100 * MEGABYTE).ms, 3)
const tiny = frameStream(INVITE, 10 * MEGABYTE, 100).ms
const ratio = large / small
console.log(`\nFraming and scanning a stream of INVITEs, chunks of 64 KiB, CPU time`)
console.log(`  10 MB ${small.toFixed(0)} ms, 100 MB ${large.toFixed(0)} ms: ratio ${ratio.toFixed(2)} (at most 11)`)
console.log(`  10 MB in chunks of 100 bytes: ${tiny.toFixed(0)} ms`)

const results = {
  node: process.version,
  arch: process.arch,
  plain,
  routed,
  encode,
  framing: { small, large, ratio, tiny },
}
writeFileSync(new URL('./results/parse.json', import.meta.url), `${JSON.stringify(results, null, 2)}\n`)
if (sink.value === 0) throw new Error('nothing was measured')
