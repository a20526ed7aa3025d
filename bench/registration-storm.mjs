#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// More REGISTERs than the cluster can do. All of the cluster (Redis too) runs on core 0, the phones on core 1.
//
//   npm run build && node bench/registration-storm.mjs [--users 20000] [--seconds 20] [--factor 5] [--only tandem,tandem-redis,tandem-redis-many]
//        [--what refresh,first] [--obey 0] [--within 2] [--base-port 28000] [--verbose 0]
//
// For each contestant: what it can do (so many in flight, `capacity`), then `--factor` times that at a rate (`storm`), without repeats and
// without regard for Retry-After; goodput is the 200s of a second over the capacity. `refresh`: a nonce that is fresh; `first`: none,
// each is challenged, and what counts are registrations. `--obey 1`: after that every phone at once (within `--within` seconds), each as
// the RFC has it, until all are registered; beside it the time that this would take at capacity. Prints JSON lines.
import { spawnSync } from 'node:child_process'
import { flags, printLine, rounded } from './support/numbers.mjs'
import { chooseContestants, Registrar } from './support/registrars.mjs'
import { StormLoad, userName } from './support/storm-load.mjs'
import { temporaryFolder } from './support/tandem.mjs'

const options = flags({
  users: 20_000,
  seconds: 20,
  factor: 5,
  only: 'tandem,tandem-redis,tandem-redis-many',
  what: 'refresh,first',
  'in-flight': 100,
  obey: 0,
  within: 2,
  'base-port': 28_000,
  verbose: 0,
})
const CLUSTER_CORE = 0
const PHONES_CORE = 1
const folder = temporaryFolder()
const users = Array.from({ length: options.users }, (_, n) => userName(n))

function pin(pid, core) {
  spawnSync('taskset', ['-acp', String(core), String(pid)])
}

/** Retry-After as the table of the docs has it: seconds at the quarters, and the longest. */
function spread(retryAfter) {
  const all = retryAfter.reduce((sum, [, count]) => sum + count, 0)
  const at = (share) => {
    let seen = 0
    for (const [seconds, count] of retryAfter) {
      seen += count
      if (seen >= share * all) return seconds
    }
    return 0
  }
  return { count: all, s: [at(0.001), at(0.25), at(0.5), at(0.75), at(1)] }
}

const shown = ({ retryAfter, ...rest }) => ({ ...rest, retryAfter: spread(retryAfter) })

const onSecond = options.verbose
  ? ({ offered, lost, byStatus, ...rest }) =>
      console.error(rest.second ?? '', rest.done ?? '', offered, lost, Object.fromEntries(byStatus))
  : undefined

async function storm(name, load, what) {
  const asFirst = what === 'first'
  await load.keep({ inFlight: options['in-flight'], ...(asFirst ? { seconds: 4 } : {}), asFirst })
  const capacity = await load.keep({ inFlight: options['in-flight'], seconds: 8, asFirst })
  printLine({ registrar: name, what, phase: 'capacity', ...shown(capacity) })
  const rate = options.factor * capacity.okPerSecond
  const result = await load.offer({ rate, seconds: options.seconds, asFirst, onSecond })
  const goodput = rounded(result.okPerSecond / capacity.okPerSecond, 2)
  const factor = rounded(result.offeredPerSecond / capacity.okPerSecond, 1)
  printLine({ registrar: name, what, phase: 'storm', factor, goodput, ...shown(result) })
  return capacity.okPerSecond
}

async function obey(name, load, perSecond) {
  const result = await load.obey({ withinS: options.within, limitS: 900, onSecond })
  const idealS = Math.round(options.users / perSecond)
  printLine({ registrar: name, phase: 'obey', users: options.users, idealS, ...shown(result) })
}

async function round(name) {
  const registrar = await Registrar.start(name, { folder, port: options['base-port'], users, digest: true })
  const load = await StormLoad.open({ port: options['base-port'], users: options.users })
  try {
    for (const pid of registrar.proxy.pids) pin(pid, CLUSTER_CORE)
    if (registrar.redis !== undefined) pin(registrar.redis.pid, CLUSTER_CORE)
    let perSecond = 0
    for (const what of options.what.split(',')) perSecond = await storm(name, load, what)
    if (options.obey) await obey(name, load, perSecond)
  } finally {
    await load.close()
    await registrar.stop()
  }
}

pin(process.pid, PHONES_CORE)
for (const name of chooseContestants(options.only)) await round(name)
process.exit(0)
