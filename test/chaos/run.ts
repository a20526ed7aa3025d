// SPDX-License-Identifier: MIT
//
// npm run chaos [-- --seconds 60 --rate 100 --edges 3 --store memory|redis --steering hash|random --seed 1 --kills N --cases]
// npm run chaos -- --balancer [--masquerade] [--seconds … as above, but for store and steering]
//
// Calls while edges are killed, the figures, and 1 where they are beyond what the project promises. With --cases the
// messages of each call that went wrong, what SIPp says of it, and what the processes logged.
import { parseArgs } from 'node:util'
import { sippAvailable } from '@tandem/test-kit'
import { anyEdge, type ChaosOptions, DEFAULTS } from './any-edge.ts'
import { balancer, isInNode, runInNode } from './balancer.ts'
import { beyond, historyOf, PROMISED } from './support/judge.ts'
import { report } from './support/report.ts'
import { networkAvailable } from './support/service-network.ts'

const OPTIONS = {
  seconds: { type: 'string' },
  rate: { type: 'string' },
  edges: { type: 'string' },
  store: { type: 'string' },
  steering: { type: 'string' },
  seed: { type: 'string' },
  kills: { type: 'string' },
  talk: { type: 'string' },
  callees: { type: 'string' },
  cases: { type: 'boolean' },
  balancer: { type: 'boolean' },
  masquerade: { type: 'boolean' },
} as const

/** Exit status of wrong usage, as the `tandem` command has it. */
const USAGE = 2

function fail(sentence: string, status = USAGE): never {
  console.error(`chaos: ${sentence}`)
  process.exit(status)
}

const { values } = parseArgs({ options: OPTIONS })

function whole(name: 'seconds' | 'rate' | 'edges' | 'seed' | 'kills' | 'callees', least: number): number {
  const text = values[name]
  if (text === undefined) return DEFAULTS[name]
  if (!/^\d{1,9}$/.test(text) || Number(text) < least) fail(`--${name} takes a whole number from ${least} on`)
  return Number(text)
}

function choice<T extends string>(name: 'store' | 'steering', choices: readonly T[], otherwise: T): T {
  const text = values[name] ?? otherwise
  return choices.find((value) => value === text) ?? fail(`--${name} takes ${choices.join(' or ')}`)
}

const options: ChaosOptions = {
  seconds: whole('seconds', 1),
  rate: whole('rate', 2),
  edges: whole('edges', 1),
  store: choice('store', ['memory', 'redis'], DEFAULTS.store),
  steering: choice('steering', ['hash', 'random'], DEFAULTS.steering),
  seed: whole('seed', 0),
  kills: whole('kills', 0),
  callees: whole('callees', 2),
  talkMs: DEFAULTS.talkMs,
}
const sipp = sippAvailable()
if (!sipp.available) fail(sipp.reason, 1)

const isBalancer = values.balancer === true
if (isBalancer && !isInNode()) {
  const network = networkAvailable()
  if (!network.available) fail(network.reason, 1)
  process.exit(await runInNode(options.edges, values.masquerade === true))
}
console.log(JSON.stringify(options))
const outcome = await (isBalancer ? balancer(options) : anyEdge(options))
for (const line of report(outcome)) console.log(line)
if (values.cases === true) {
  const { figures, traces } = outcome
  for (const { callId, what } of figures.cases) {
    console.log(`${callId}: ${what}`)
    for (const line of historyOf(callId, traces.callers, traces.callees)) console.log(`  ${line}`)
  }
  for (const complaint of traces.errors) console.log(complaint)
  console.log(outcome.output)
}
const broken = beyond(outcome.figures, PROMISED)
for (const sentence of broken) console.error(`chaos: ${sentence}`)
process.exitCode = broken.length === 0 ? 0 : 1
