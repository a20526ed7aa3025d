// SPDX-License-Identifier: MIT
// From which length on the native copies beat a loop: the two bounds in src/message/latin1.ts.
// Run: node packages/sip/bench/copy.ts
import { Buffer } from 'node:buffer'
import { type Candidate, measure } from './measure.ts'

const TIMES = 50_000
const out = Buffer.alloc(256)
const source = Buffer.alloc(256, 65)

/** One candidate for each way and length. */
function candidatesFor(length: number): Candidate[] {
  const text = 'x'.repeat(length)
  const repeat = (work: () => void) => (times: number) => {
    for (let k = 0; k < times; k++) work()
  }
  const textLoop = () => {
    for (let k = 0; k < length; k++) out[k] = text.charCodeAt(k)
  }
  const byteLoop = () => {
    for (let k = 0; k < length; k++) out[k] = source[k + 7] as number
  }
  return [
    { name: `text, loop, ${length}`, run: repeat(textLoop), times: TIMES },
    { name: `text, native, ${length}`, run: repeat(() => out.latin1Write(text, 0, length)), times: TIMES },
    { name: `bytes, loop, ${length}`, run: repeat(byteLoop), times: TIMES },
    { name: `bytes, native, ${length}`, run: repeat(() => source.copy(out, 0, 7, 7 + length)), times: TIMES },
  ]
}

for (const length of [4, 16, 24, 32, 48, 64]) {
  for (const { name, bestNs } of measure(candidatesFor(length), 9)) console.log(`${name.padEnd(20)} ${bestNs} ns`)
}
