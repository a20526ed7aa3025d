// SPDX-License-Identifier: MIT
// What a plain call (INVITE, 180, 200, ACK, BYE, 200 between two UDP phones, open profile) costs an edge with location and policy in
// its process, without sockets: two built checkouts side by side. Many short rounds in turn, CPU time of the thread around the
// edge's work alone; the median of the ratios of neighbouring rounds is the figure, for the machine's speed moves all the time.
// Run: node bench/plain-path.mjs OLD NEW [rounds [calls]], two folders after `npm run build`
import { fork } from 'node:child_process'
import { median } from './support/numbers.mjs'
import { inTurn, plainCalls } from './support/plain-call.mjs'

async function work(root) {
  const run = await plainCalls(root)
  process.on('message', async (calls) => process.send(await run(calls)))
  process.send('ready')
}

async function compare(roots, rounds, calls) {
  const children = roots.map((root) => fork(import.meta.filename, ['--worker', root]))
  const us = await inTurn(children, rounds, calls)
  for (const [k, root] of roots.entries()) {
    console.log(`${root}: median ${median(us[k]).toFixed(1)} µs, least ${Math.min(...us[k]).toFixed(1)} µs a call`)
  }
  console.log(`ratio: ${median(us[1].map((value, k) => value / us[0][k])).toFixed(3)}`)
}

const [first, second, rounds = '60', calls = '200'] = process.argv.slice(2)
if (first === '--worker') await work(second)
else await compare([first, second], Number(rounds), Number(calls))
