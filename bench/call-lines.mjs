// SPDX-License-Identifier: MIT
// What lines about calls cost a plain call, which leaves no record and so a line at its BYE: the edge of one built checkout without them, with the bound that
// is set by default, and with a line for every call. Into /dev/null. Many short rounds in turn, CPU of the thread around the edge's work; the median of the
// ratios of neighbouring rounds is the figure.
// Run: npm run build && node bench/call-lines.mjs [rounds [calls]]
import { fork } from 'node:child_process'
import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { median } from './support/numbers.mjs'
import { inTurn, plainCalls } from './support/plain-call.mjs'

const ROOT = join(import.meta.dirname, '..')
const KINDS = ['without', 'bounded', 'all']
const nothing = () => undefined

async function work(kind) {
  const run = await plainCalls(ROOT, async (core, load) => {
    if (kind === 'without') return Object.assign(core, { callLog: undefined })
    const { createLogger } = await load('packages/service-kit/dist/index.js')
    const { createCallLog } = await load('services/edge/dist/log/call-log.js')
    const file = openSync('/dev/null', 'w')
    const sink = { write: (line) => void writeSync(file, line) }
    const logger = createLogger({ level: 'info', service: 'bench', sink })
    const maxLinesPerSecond = kind === 'all' ? 10_000_000 : core.config.logging.maxLinesPerSecond
    const config = { ...core.config, logging: { ...core.config.logging, maxLinesPerSecond } }
    Object.assign(core, { callLog: createCallLog(config, logger) })
  })
  process.on('message', async (calls) => process.send(await run(calls)))
  process.send('ready')
}

async function compare(rounds, calls) {
  const children = KINDS.map((kind) => fork(import.meta.filename, ['--worker', kind]))
  const kill = children.map((child) => child.kill.bind(child))
  for (const child of children) child.kill = nothing
  const us = await inTurn(children, rounds, calls)
  for (const end of kill) end()
  for (const [k, kind] of KINDS.entries()) {
    const ratio = median(us[k].map((value, round) => value / us[0][round]))
    console.log(`${kind}: median ${median(us[k]).toFixed(1)} µs a call, ${(100 * (ratio - 1)).toFixed(1)} %`)
  }
}

const [first = '60', second = '200'] = process.argv.slice(2)
if (first === '--worker') await work(second)
else await compare(Number(first), Number(second))
