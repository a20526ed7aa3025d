#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// Registrations and look-ups for a second of CPU, beside Kamailio with its bindings in memory and in Redis (db_redis, db_mode 3): every
// process of either side is counted, Redis too. Contestants in turn, rounds of all of them one after the other.
//
//   npm run build && node bench/registrations.mjs [--users 2000] [--operations 20000] [--rounds 3] [--in-flight 50] [--rate 0]
//        [--only tandem,tandem-redis,tandem-redis-many,kamailio,kamailio-redis] [--warm-up 10000] [--base-port 27000]
//
// `refresh`: a REGISTER with credentials (digest with MD5 and qop=auth, counts of nonces are checked on both sides), same binding, next CSeq.
// `lookup`: MESSAGE from a stranger, answered with 302 and the contact. `--in-flight` so many at all times; with `--rate` so many a second.
// `--warm-up` operations of each kind are not counted. The load is this process's, is not counted, and has a core if there are two.
// Prints one JSON line for each contestant and round; the last has the medians, and ratios of operations for a second of CPU. Ends
// with 1 where an operation has failed.
import { flags, median, printLine, rounded } from './support/numbers.mjs'
import { RegistrarLoad, userName } from './support/registrar-load.mjs'
import { chooseContestants, perItem, Registrar } from './support/registrars.mjs'
import { temporaryFolder } from './support/tandem.mjs'

const options = flags({
  users: 2_000,
  operations: 20_000,
  rounds: 3,
  'in-flight': 50,
  rate: 0,
  'warm-up': 10_000,
  only: 'tandem,tandem-redis,tandem-redis-many,kamailio,kamailio-redis',
  'base-port': 27_000,
})
const KINDS = ['refresh', 'lookup']
const folder = temporaryFolder()
const users = Array.from({ length: options.users }, (_, n) => userName(n))
const pace = options.rate > 0 ? { rate: options.rate } : { inFlight: options['in-flight'] }
const measured = new Map()
let failed = 0

async function measure(registrar, load, what) {
  await load.run({ what, count: options['warm-up'], ...pace })
  const [before, failedBefore] = [registrar.spent(), load.failed]
  const { seconds } = await load.run({ what, count: options.operations, ...pace })
  const cpuUs = perItem(before, registrar.spent(), options.operations)
  return {
    what,
    cpuUs,
    perCpuSecond: Math.round(1e6 / cpuUs.all),
    perSecond: Math.round(options.operations / seconds),
    failed: load.failed - failedBefore,
  }
}

async function round(name) {
  const registrar = await Registrar.start(name, {
    folder,
    port: options['base-port'],
    users,
    digest: true,
    redirect: true,
  })
  const load = await RegistrarLoad.open({ port: options['base-port'], users: options.users })
  try {
    await load.registerAll()
    for (const what of KINDS) {
      const result = await measure(registrar, load, what)
      printLine({ registrar: name, ...result })
      const key = `${name} ${what}`
      measured.set(key, [...(measured.get(key) ?? []), result.perCpuSecond])
      failed += result.failed
    }
    if (load.firstFailure !== '') console.error(load.firstFailure)
  } finally {
    load.close()
    await registrar.stop()
  }
}

function summary(names, what) {
  const perCpuSecond = Object.fromEntries(names.map((name) => [name, median(measured.get(`${name} ${what}`))]))
  const ratios = {}
  for (const ours of names.filter((name) => name.startsWith('tandem')))
    for (const theirs of names.filter((name) => name.startsWith('kamailio')))
      ratios[`${ours} / ${theirs}`] = rounded(perCpuSecond[ours] / perCpuSecond[theirs], 2)
  return { perCpuSecond, ratios }
}

const names = chooseContestants(options.only)
for (let k = 0; k < options.rounds; k++) for (const name of names) await round(name)
printLine({ ...Object.fromEntries(KINDS.map((what) => [what, summary(names, what)])), failed })
process.exit(failed === 0 ? 0 : 1)
