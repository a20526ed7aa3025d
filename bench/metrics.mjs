// SPDX-License-Identifier: MIT
// What metrics cost a plain call: the edge of one built checkout twice, as it is and with counting switched off (traffic by method and status,
// histograms, times of items to location and policy; single counters that are fields of objects stay, they can't be told from the rest). Many short rounds in
// turn, CPU of the thread around the edge's work; the median of the ratios of neighbouring rounds is the figure. Then what one scrape costs.
// Run: npm run build && node bench/metrics.mjs [rounds [calls]]
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { median } from './support/numbers.mjs'
import { inTurn, plainCalls } from './support/plain-call.mjs'

const ROOT = join(import.meta.dirname, '..')
const nothing = () => undefined

/** As a process has them. */
async function withMetrics(core, load, sockets) {
  const { Metrics } = await load('packages/service-kit/dist/index.js')
  const { registerEdgeMetrics } = await load('services/edge/dist/metrics.js')
  const metrics = new Metrics({ service: 'edge', edge: 'edge-0', cluster: 'bench' })
  registerEdgeMetrics(metrics, core, () => sockets)
  return metrics
}

async function withoutMetrics(core, load) {
  const { IntHistogram } = await load('packages/service-kit/dist/index.js')
  const { SipTraffic } = await load('packages/sip/dist/index.js')
  IntHistogram.prototype.observe = nothing
  for (const name of ['requestIn', 'requestOut', 'responseIn', 'responseOut']) SipTraffic.prototype[name] = nothing
  void core
}

async function work(kind) {
  let metrics
  const run = await plainCalls(ROOT, async (...edge) => {
    if (kind === 'with') metrics = await withMetrics(...edge)
    else await withoutMetrics(...edge)
  })
  process.on('message', async (calls) => process.send(calls > 0 ? await run(calls) : await scrape(metrics)))
  process.send('ready')
}

/** Milliseconds of CPU, and bytes of text. */
async function scrape(metrics) {
  const before = process.threadCpuUsage()
  const text = await metrics.render()
  const { user, system } = process.threadCpuUsage(before)
  return [(user + system) / 1_000, text.length]
}

async function compare(rounds, calls) {
  const children = ['without', 'with'].map((kind) => fork(import.meta.filename, ['--worker', kind]))
  const kill = children.map((child) => child.kill.bind(child))
  for (const child of children) child.kill = nothing
  const us = await inTurn(children, rounds, calls)
  const scrapes = []
  for (let k = 0; k < 20; k += 1) {
    children[1].send(0)
    scrapes.push(await new Promise((resolve) => children[1].once('message', resolve)))
  }
  for (const end of kill) end()
  for (const [k, kind] of ['without', 'with'].entries())
    console.log(
      `${kind} metrics: median ${median(us[k]).toFixed(1)} µs, least ${Math.min(...us[k]).toFixed(1)} µs a call`,
    )
  const ratio = median(us[1].map((value, k) => value / us[0][k]))
  console.log(`metrics: ${(100 * (ratio - 1)).toFixed(1)} % of a call`)
  console.log(`a scrape: ${median(scrapes.map(([ms]) => ms)).toFixed(1)} ms, ${scrapes[0][1]} bytes`)
}

const [first = '60', second = '200'] = process.argv.slice(2)
if (first === '--worker') await work(second)
else await compare(Number(first), Number(second))
