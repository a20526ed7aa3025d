// SPDX-License-Identifier: MIT
// What the last messages cost that an edge keeps for `tandem trace`: the edge of one built checkout twice, with the ring and without a tap. Many short rounds
// in turn, CPU of the thread around the edge's work; the median of the ratios of neighbouring rounds is the figure.
// Run: npm run build && node bench/capture.mjs [rounds [calls]]
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { median } from './support/numbers.mjs'
import { inTurn, plainCalls } from './support/plain-call.mjs'

const ROOT = join(import.meta.dirname, '..')
const nothing = () => undefined

async function work(kind) {
  const run = await plainCalls(ROOT, async (core, load, _sockets, listeners) => {
    if (kind !== 'with') return
    const { tapInto } = await load('services/edge/dist/capture/commands.js')
    tapInto(core, listeners)
  })
  process.on('message', async (calls) => process.send(await run(calls)))
  process.send('ready')
}

async function compare(rounds, calls) {
  const children = ['without', 'with'].map((kind) => fork(import.meta.filename, ['--worker', kind]))
  const kill = children.map((child) => child.kill.bind(child))
  for (const child of children) child.kill = nothing
  const us = await inTurn(children, rounds, calls)
  for (const end of kill) end()
  for (const [k, kind] of ['without', 'with'].entries()) {
    console.log(
      `${kind} the ring: median ${median(us[k]).toFixed(1)} µs, least ${Math.min(...us[k]).toFixed(1)} µs a call`,
    )
  }
  const ratio = median(us[1].map((value, k) => value / us[0][k]))
  console.log(`the ring: ${(100 * (ratio - 1)).toFixed(1)} % of a call`)
}

const [first = '60', second = '200'] = process.argv.slice(2)
if (first === '--worker') await work(second)
else await compare(Number(first), Number(second))
