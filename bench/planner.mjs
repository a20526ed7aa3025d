#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// CPU of one plan() among 100,000 routes, 10,000 numbers, 1,000 hunt groups and 1,000 schedules.
//
//   npm run build && node bench/planner.mjs [--prefixes 100000] [--numbers 10000] [--groups 1000] [--schedules 1000] [--plans 20000] [--rounds 5]
//
// Each line is a kind of call, planned `plans` times with other numbers, users and minutes each time, after as many that are not counted.
// Mean: CPU of a round by its plans, the median of the rounds, all threads, with the engine's settings of a cluster. p50 and p99: of plans that
// are timed one by one by the clock, less what it takes itself; on a busy machine p99 is that of the machine. The facts are those of a node that knows something of every trunk. Live time, credentials and the wire are left out.
import { spawnSync } from 'node:child_process'
import {
  indexResources,
  loadResources,
  NO_PLAN_FACTS,
  plan,
  planNumber,
  planned,
  planToNumber,
} from '@tandem/resources'
import { flags, median, percentile, rounded } from './support/numbers.mjs'

const options = flags({ prefixes: 100_000, numbers: 10_000, groups: 1_000, schedules: 1_000, plans: 20_000, rounds: 5 })
const MARK = 'TANDEM_BENCH_ENGINE'
if (process.env[MARK] === undefined) {
  // As cli/src/engine.ts starts every process.
  const engine = ['--single-threaded-gc', '--min-semi-space-size=32', '--max-semi-space-size=32']
  const more = ['--heap-growing-percent=200', '--invocation-count-for-turbofan=1000']
  const own = process.execArgv.concat(engine, more, process.argv.slice(1))
  process.exit(spawnSync(process.execPath, own, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } }).status ?? 1)
}
const DOMAIN = 'bench.test'
const CARRIERS = 50
const USERS = 2_000
const document = (kind, name, spec, domain) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata: domain === undefined ? { name } : { name, domain },
  spec,
})
const range = (count, make) => Array.from({ length: count }, (_, k) => make(k))
const user = (k) => `u${k % USERS}`
const did = (k) => `+4930${String(1_000_000 + (k % options.numbers))}`
/** Prefixes of 4 to 7 digits, of all countries. */
const prefix = (k) => `+${1 + (k % 9)}${String(k).padStart(3 + (k % 4), '0')}`
const MEMBERS = 5

function* documents() {
  yield document('Domain', DOMAIN, { authentication: 'none', numberPlan: 'germany' })
  yield document('NumberPlan', 'germany', { country: '+49', outsideLine: '0' })
  yield* range(USERS, (k) => {
    const forwarding =
      k % 2 === 0
        ? { noAnswer: { to: { subscriber: user(k + 1) }, afterMs: 15_000 }, busy: { number: did(k + 7) } }
        : undefined
    return document('Subscriber', user(k), { usernames: [user(k)], ...(forwarding && { forwarding }) }, DOMAIN)
  })
  const strategies = ['ring-all', 'sequential', 'round-robin', 'random', 'weighted']
  yield* range(options.groups, (k) => {
    const members = range(MEMBERS, (n) => user(2 * (k + n) + 1))
    const overflow = k % 2 === 0 ? { overflow: { noAnswer: { subscriber: user(2 * k + 1) } } } : {}
    return document('HuntGroup', `g${k}`, { strategy: strategies[k % 5], members, ringMs: 15_000, ...overflow }, DOMAIN)
  })
  yield* range(options.schedules, (k) =>
    document('Schedule', `s${k}`, {
      timeZone: k % 2 === 0 ? 'Europe/Berlin' : 'America/New_York',
      weekly: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00' }],
      holidays: ['12-25', '01-01'],
    }),
  )
  yield* range(options.schedules, (k) =>
    document(
      'CallFlow',
      `f${k}`,
      {
        branches: [{ schedule: `s${k}`, to: { huntGroup: `g${k % options.groups}` } }],
        default: { to: { subscriber: user(2 * k + 1) } },
      },
      DOMAIN,
    ),
  )
  const hosts = (name, count) => range(count, (n) => ({ host: `h${n}.${name}.example`, weight: 1 + n }))
  yield* range(CARRIERS, (k) =>
    document('Trunk', `t${k}`, {
      hosts: hosts(`t${k}`, k % 2 === 0 ? 1 : 4),
      trusted: true,
      numbersOut: { form: 'e164WithoutPlus' },
      callerId: { headers: ['P-Asserted-Identity'], default: '+4930000' },
      maxCalls: 100,
    }),
  )
  // Two hosts, and eight.
  yield* range(CARRIERS / 2, (k) =>
    document('TrunkGroup', `two${k}`, { trunks: [{ trunk: `t${2 * k}` }, { trunk: `t${(2 * k + 2) % CARRIERS}` }] }),
  )
  yield* range(CARRIERS / 2, (k) =>
    document('TrunkGroup', `eight${k}`, {
      order: 'weight',
      trunks: [{ trunk: `t${2 * k + 1}` }, { trunk: `t${(2 * k + 3) % CARRIERS}` }],
      maxAttempts: 8,
    }),
  )
  yield* range(options.prefixes, (k) =>
    document('Route', `r${k}`, {
      prefix: prefix(k),
      trunkGroup: `${k % 2 === 0 ? 'two' : 'eight'}${(k >> 1) % (CARRIERS / 2)}`,
    }),
  )
  yield* range(options.numbers, (k) => {
    const to = [
      { huntGroup: `g${k % options.groups}` },
      { callFlow: `f${k % options.schedules}` },
      { subscriber: user(2 * k + 1) },
    ][k % 3]
    return document('Number', `n${k}`, { number: did(k), domain: DOMAIN, to })
  })
}

const loaded = await loadResources([...documents()], { baseDir: '/', env: {} })
if (!loaded.ok) {
  console.error(loaded.problems.slice(0, 5))
  process.exit(1)
}
const index = indexResources(loaded.set, {
  localHosts: [],
  authentication: 'digest',
  accounting: true,
  registration: { minExpiresMs: 60_000, maxExpiresMs: 3_600_000, defaultExpiresMs: 3_600_000, maxContacts: 10 },
})
const home = index.homes.get(DOMAIN).entry
const known = Object.freeze({ open: false, openHosts: new Set(), full: false, asr: 0.6, pddMs: 800 })
let turns = 0
const facts = { ...NO_PLAN_FACTS, silent: true, trunk: () => known, turn: () => turns++ }
const caller = { aor: `sip:${user(1)}@${DOMAIN}`, domain: DOMAIN, labels: {}, trunk: '', number: '+49301' }
const MONDAY = Date.UTC(2026, 5, 1, 8)

/** As policy builds it for each call. */
const at = (k, number, by = caller) => ({
  index,
  call: {
    number,
    dialled: number,
    caller: by,
    shown: '+49302',
    ownsShown: false,
    nowMs: MONDAY + k * 1_000,
    draw: (k * 0.618_033_988_7) % 1,
  },
  facts,
  diverted: [],
  depth: 0,
  method: 'INVITE',
})
const byTrunk = { aor: '', domain: '', labels: {}, trunk: 't0', number: '' }
const toName = (k, name) => planned(plan({ method: 'INVITE', user: name, host: DOMAIN }, index), at(k, ''))
const outside = (parity) => (k) =>
  planToNumber(at(k, `${prefix(2 * (k % (options.prefixes / 2)) + parity)}555123`), home)
const numberOf = (kind) => (k) =>
  planToNumber(at(k, did(3 * (k % Math.floor(options.numbers / 3)) + kind), byTrunk), undefined)

const only = process.env.TANDEM_BENCH_KIND ?? ''
const KINDS = [
  ['user without forwarding', (k) => toName(k, user(2 * k + 1))],
  ['user, forwarded after no answer and when busy', (k) => toName(k, user(2 * k))],
  ['number of ours → hunt group', numberOf(0)],
  ['number of ours → call flow by its schedule', numberOf(1)],
  ['number of ours → user', numberOf(2)],
  ['out by a route, trunks with 2 hosts', outside(0)],
  ['out by a route, trunks with 8 hosts, by lot', outside(1)],
  ['a number that nobody has, no route', (k) => planToNumber(at(k, `+0${k}`), home)],
  ['tel URI of a domain', (k) => planNumber(`+4931${k}`, home)],
]

let sink = 0
function round(one, from) {
  const before = process.cpuUsage()
  for (let k = from; k < from + options.plans; k++) sink += one(k).steps.length
  const { user: inUser, system } = process.cpuUsage(before)
  return (inUser + system) / options.plans
}

function singles(one) {
  const clock = []
  for (let k = 0; k < 1_000; k++) {
    const began = process.hrtime.bigint()
    clock.push(Number(process.hrtime.bigint() - began) / 1_000)
  }
  const own = median(clock)
  return range(options.plans, (k) => {
    const began = process.hrtime.bigint()
    sink += one(k).steps.length
    return Math.max(0, Number(process.hrtime.bigint() - began) / 1_000 - own)
  })
}

console.log(
  `${options.prefixes} routes, ${options.numbers} numbers, ${options.groups} hunt groups, ${options.schedules} schedules`,
)
console.log('| call | mean, µs | p50 | p99 |\n|---|---:|---:|---:|')
for (const [name, one] of KINDS) {
  if (!name.includes(only)) continue
  round(one, 0)
  const mean = median(range(options.rounds, (n) => round(one, n * options.plans)))
  const each = singles(one)
  console.log(
    `| ${name} | ${rounded(mean, 1)} | ${rounded(percentile(each, 0.5), 1)} | ${rounded(percentile(each, 0.99), 1)} |`,
  )
}
if (sink < 0) throw new Error('never')
