// SPDX-License-Identifier: MIT
//
// npm run ops [-- roll scale redis certificate keys key-file] [--seconds N --rate 100 --talk 2000 --settle 20000 --callees 16 --warm-up 4000 --small --cases]
// npm run ops -- upgrade rollback --other FOLDER
//
// What operators do, while calls go on, the figures, and 1 where they are beyond what the project promises. Without a name: all of them, one after
// the other, but for those between versions: they need the built checkout of another one. With --small two edges and one of each service. With --cases the messages of each call that went wrong, and what the processes logged.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { redisAvailable, sippAvailable } from '@tandem/test-kit'
import { historyOf } from '../chaos/support/judge.ts'
import { type OpsOptions, type OpsOutcome, ops, SCENARIOS, type Scenario } from './ops.ts'
import { report, wrongWith } from './report.ts'

const OPTIONS = {
  seconds: { type: 'string' },
  rate: { type: 'string' },
  talk: { type: 'string' },
  settle: { type: 'string' },
  callees: { type: 'string' },
  'warm-up': { type: 'string' },
  small: { type: 'boolean' },
  cases: { type: 'boolean' },
  other: { type: 'string' },
} as const

/** Exit status of wrong usage, as the `tandem` command has it. */
const USAGE = 2
/** What the steps take at most, on a machine that is not idle. */
const SECONDS: Readonly<Record<Scenario, number>> = {
  roll: 320,
  scale: 220,
  redis: 110,
  certificate: 80,
  keys: 920,
  'key-file': 120,
  upgrade: 320,
  rollback: 320,
}
const BETWEEN_VERSIONS: readonly Scenario[] = ['upgrade', 'rollback']

const SMALL = { edge: 2, location: 1, policy: 1, records: 1 }

function fail(sentence: string, status = USAGE): never {
  console.error(`ops: ${sentence}`)
  process.exit(status)
}

const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true })

function whole(
  name: 'seconds' | 'rate' | 'talk' | 'settle' | 'callees' | 'warm-up',
  least: number,
  otherwise: number,
): number {
  const text = values[name]
  if (text === undefined) return otherwise
  if (!/^\d{1,9}$/.test(text) || Number(text) < least) fail(`--${name} takes a whole number from ${least} on`)
  return Number(text)
}

const scenarioOf = (name: string): Scenario =>
  SCENARIOS.find((scenario) => scenario === name) ?? fail(`${name} is none of ${SCENARIOS.join(', ')}`)

function showCases({ figures, traces, output }: OpsOutcome): void {
  for (const { callId, what } of figures.cases) {
    console.log(`${callId}: ${what}`)
    for (const line of historyOf(callId, traces.callers, traces.callees)) console.log(`  ${line}`)
  }
  for (const complaint of traces.errors) console.log(complaint)
  console.log(output)
}

for (const program of [sippAvailable(), redisAvailable()]) if (!program.available) fail(program.reason, 1)
const { other } = values
const scenarios =
  positionals.length === 0 ? SCENARIOS.filter((name) => !BETWEEN_VERSIONS.includes(name)) : positionals.map(scenarioOf)
if (other === undefined && scenarios.some((name) => BETWEEN_VERSIONS.includes(name)))
  fail('upgrade and rollback need --other FOLDER, a checkout of another version with its command built')
for (const scenario of scenarios) {
  const options: OpsOptions = {
    scenario,
    seconds: whole('seconds', 1, SECONDS[scenario]),
    rate: whole('rate', 2, 100),
    talkMs: whole('talk', 100, 2_000),
    settleMs: whole('settle', 0, 20_000),
    callees: whole('callees', 2, 16),
    nodes: values.small === true ? SMALL : { edge: 3, location: 2, policy: 2, records: 2 },
    drainMs: 10_000,
    warmUpCalls: whole('warm-up', 0, 4_000),
    ...(other !== undefined && { otherVersion: resolve(other) }),
  }
  console.log(JSON.stringify(options))
  const outcome = await ops(options)
  for (const line of report(outcome)) console.log(line)
  if (values.cases === true) showCases(outcome)
  const wrong = wrongWith(options, outcome)
  for (const sentence of wrong) console.error(`ops: ${scenario}: ${sentence}`)
  if (wrong.length > 0) process.exitCode = 1
}
