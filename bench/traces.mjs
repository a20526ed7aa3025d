// SPDX-License-Identifier: MIT
// What traces cost a plain call: the edge of one built checkout, with location and policy in its process and without sockets, untraced and
// traced with several settings, in turn. Spans go as protobuf to a server that throws them away. Each setting in a process of its own; the
// median of the ratios of neighbouring rounds.
// Run: npm run build && node bench/traces.mjs [rounds [calls]]
import { fork } from 'node:child_process'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { median } from './support/numbers.mjs'
import { inTurn, plainCalls } from './support/plain-call.mjs'

const ROOT = join(import.meta.dirname, '..')
const NO_LOG = { info: () => undefined, warn: () => undefined }

/** Settings of `telemetry.traces`; undefined: off. */
const KINDS = {
  off: undefined,
  'ratio 0.01, failures not kept': { sampleRatio: 0.01, keepFailures: false },
  'ratio 0.01, failures kept': { sampleRatio: 0.01, keepFailures: true },
  'ratio 1': { sampleRatio: 1, keepFailures: true },
}

function tracingOf(settings) {
  return async (load) => {
    const { loadConfig } = await load('packages/service-kit/dist/index.js')
    const { createTracing, ServiceTracer } = await load('packages/telemetry/dist/index.js')
    const { traces } = loadConfig({ file: `${ROOT}/bench/configs/open.yaml`, env: {} }).telemetry
    const endpoint = process.env.BENCH_COLLECTOR
    const tracing = await createTracing({ traces: { ...traces, ...settings, exporter: 'otlp', endpoint } }, NO_LOG)
    return { tracing, tracerOf: (service) => new ServiceTracer(tracing, { service, attributes: {} }) }
  }
}

async function work(kind) {
  const settings = KINDS[kind]
  const run = await plainCalls(ROOT, undefined, settings && tracingOf(settings))
  process.on('message', async (calls) => process.send(await run(calls)))
  process.send('ready')
}

/** Takes everything. */
async function collector() {
  const server = createServer((request, response) => request.resume().on('end', () => response.end()))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  process.env.BENCH_COLLECTOR = `http://127.0.0.1:${server.address().port}`
  return server.unref()
}

async function compare(rounds, calls) {
  const kinds = Object.keys(KINDS)
  const server = await collector()
  const children = kinds.map((kind) => fork(import.meta.filename, ['--worker', kind]))
  const [off, ...others] = await inTurn(children, rounds, calls)
  console.log(`off: median ${median(off).toFixed(1)} µs a call`)
  for (const [k, us] of others.entries()) {
    const ratio = median(us.map((value, round) => value / off[round]))
    console.log(`${kinds[k + 1]}: median ${median(us).toFixed(1)} µs, ${(100 * (ratio - 1)).toFixed(1)} % more`)
  }
  server.closeAllConnections()
}

const [first = '30', second = '400'] = process.argv.slice(2)
if (first === '--worker') await work(second)
else await compare(Number(first), Number(second))
