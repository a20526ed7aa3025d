// SPDX-License-Identifier: MIT
//
// npm run chaos:money [-- --seconds 180 --rate 200 --accounts 100 --seed 1 --kills N --small --cases]
// npm run chaos:money -- --interleavings 100000 [--seed 1]
//
// Calls, money and deaths (money.ts), the figures, and 1 where a single micro-unit is not where it should be. With --interleavings the same
// property on the memory store: services/policy/src/charging/money.test.ts, in slices.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { redisAvailable, sippAvailable } from '@tandem/test-kit'
import { historyOf } from '../support/judge.ts'
import { DEFAULTS, type MoneyOptions, money } from './money.ts'
import { report, verdictOf } from './report.ts'

const OPTIONS = {
  seconds: { type: 'string' },
  rate: { type: 'string' },
  accounts: { type: 'string' },
  seed: { type: 'string' },
  kills: { type: 'string' },
  interleavings: { type: 'string' },
  small: { type: 'boolean' },
  cases: { type: 'boolean' },
} as const
/** Exit status of wrong usage, as the `tandem` command has it. */
const USAGE = 2
const ROOT = resolve(import.meta.dirname, '../../..')
/** Of the interleavings that one process runs. */
const SLICE = 10_000

function fail(sentence: string, status = USAGE): never {
  console.error(`chaos:money: ${sentence}`)
  process.exit(status)
}

const { values } = parseArgs({ options: OPTIONS })

function whole(
  name: 'seconds' | 'rate' | 'accounts' | 'seed' | 'kills' | 'interleavings',
  least: number,
  otherwise: number,
) {
  const text = values[name]
  if (text === undefined) return otherwise
  if (!/^\d{1,9}$/.test(text) || Number(text) < least) fail(`--${name} takes a whole number from ${least} on`)
  return Number(text)
}

/** @returns exit status */
function interleave(count: number, seed: number): number {
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
  for (let from = seed; from < seed + count; from += SLICE) {
    const runs = Math.min(SLICE, seed + count - from)
    const env = { ...process.env, TANDEM_MONEY_SEED: String(from), TANDEM_MONEY_RUNS: String(runs) }
    const args = [vitest, 'run', 'services/policy/src/charging/money.test.ts']
    const { status } = spawnSync(process.execPath, args, { cwd: ROOT, env, stdio: 'inherit' })
    if (status !== 0) return 1
  }
  console.log(`${count} interleavings from seed ${seed} on: every account exact`)
  return 0
}

const seed = whole('seed', 0, DEFAULTS.seed)
const interleavings = whole('interleavings', 1, 0)
if (interleavings > 0) process.exit(interleave(interleavings, seed))

for (const program of [sippAvailable(), redisAvailable()]) if (!program.available) fail(program.reason, 1)
const options: MoneyOptions = {
  seconds: whole('seconds', 1, DEFAULTS.seconds),
  rate: whole('rate', 2, DEFAULTS.rate),
  seed,
  accounts: whole('accounts', 1, DEFAULTS.accounts),
  kills: whole('kills', 0, DEFAULTS.kills),
  isSmall: values.small === true,
}
console.log(JSON.stringify(options))
const outcome = await money(options)
for (const line of report(outcome)) console.log(line)
const wrong = verdictOf(outcome)
if (values.cases === true) {
  const { callers, callees } = outcome.traces
  for (const sentence of wrong) {
    console.log(sentence)
    const callId = sentence.slice(0, sentence.indexOf(': '))
    for (const line of historyOf(callId, callers, callees)) console.log(`  ${line}`)
    for (const record of outcome.records.filter((one) => one.call_id === callId)) console.log(JSON.stringify(record))
  }
  console.log(outcome.output)
}
for (const sentence of wrong.slice(0, 50)) console.error(`chaos:money: ${sentence}`)
process.exitCode = wrong.length === 0 ? 0 : 1
