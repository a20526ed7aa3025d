#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// What keeping bindings at the edge saves and costs: CPU time per call, per refresh and per look-up with `edge.locationCache.mode` off and
// auto, in turn; edge, location, policy and Redis are processes of their own, all counted. And how often the cache answered.
//
//   npm run build && node bench/location-cache.mjs [--rounds 2] [--rate 1000] [--calls 8000] [--users 2000] [--operations 15000]
//        [--warm-up 5000] [--base-port 27000]
//
// `call`: that of bench/redis-calls.mjs (SIPp, one callee). `refresh`: a REGISTER with credentials; its change is told to the watching edge.
// `lookup`: MESSAGE from a stranger, answered with 302 and the contact. `mixed`: look-ups and refreshes by turns, of the same users.
// Prints one JSON line for each part, mode and round; the last has the medians. Ends with 1 where something has failed, with 2 where
// SIPp is not installed.
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { flags, median, printLine, rounded } from './support/numbers.mjs'
import { RegistrarLoad, userName } from './support/registrar-load.mjs'
import { perItem, Registrar } from './support/registrars.mjs'
import { temporaryFolder } from './support/tandem.mjs'

const options = flags({
  rounds: 2,
  rate: 1_000,
  calls: 8_000,
  users: 2_000,
  operations: 15_000,
  'warm-up': 5_000,
  'base-port': 27_000,
})
const HOST = '127.0.0.1'
const MODES = ['off', 'auto']
const IN_FLIGHT = 50
const SCENARIOS = join(dirname(fileURLToPath(import.meta.url)), 'scenarios')
const port = options['base-port']
const [calleePort, registerPort, callerPort] = [port + 70, port + 71, port + 72]
const folder = temporaryFolder()
const measured = new Map()
let failed = 0

const start = (mode, more) => {
  const env = { TANDEM_EDGE_LOCATION_CACHE_MODE: mode }
  return Registrar.start('tandem-redis-many', { folder, port, env, ...more })
}

/** Look-ups that the cache answered, and all. */
async function lookUps() {
  const text = await (await fetch(`http://${HOST}:${port + 20}/metrics`)).text()
  const count = (name) =>
    Number(new RegExp(`^tandem_edge_location_cache_${name}_total\\{.*\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
  const hits = count('hits')
  return { hits, all: hits + count('misses') + count('bypasses') }
}

/** Runs `load`, and notes what each of `count` has cost. */
async function measure(registrar, mode, what, count, load) {
  const [before, known] = [registrar.spent(), await lookUps()]
  const bad = await load()
  const cpuUs = perItem(before, registrar.spent(), count)
  const { hits, all } = await lookUps()
  const hitRate = all > known.all ? rounded((hits - known.hits) / (all - known.all), 3) : undefined
  printLine({ what, mode, cpuUs, hitRate, failed: bad })
  for (const [part, us] of Object.entries(cpuUs)) {
    const key = `${what} ${mode} ${part}`
    measured.set(key, [...(measured.get(key) ?? []), us])
  }
  failed += bad
}

const sipp = (scenario, from, more) => [
  ...['-sf', join(SCENARIOS, scenario), '-i', HOST, '-p', String(from), '-nostdin'],
  ...more,
]

/** How many of them failed. */
async function call(calls, name) {
  const csv = join(folder, `${name}.csv`)
  const flow = ['-r', String(options.rate), '-m', String(calls), '-l', '50000', '-trace_stat', '-stf', csv, '-fd', '1']
  const caller = spawn('sipp', sipp('uac.xml', callerPort, [`${HOST}:${port}`, ...flow]), { stdio: 'ignore' })
  await new Promise((resolve) => caller.once('exit', resolve))
  const rows = readFileSync(csv, 'latin1').trim().split('\n')
  const at = rows[0].split(';').indexOf('SuccessfulCall(C)')
  return calls - Number(rows.at(-1).split(';')[at])
}

async function calls(mode, k) {
  const registrar = await start(mode, { users: ['alice', 'bob'] })
  const callee = spawn('sipp', sipp('uas.xml', calleePort, []), { stdio: 'ignore' })
  try {
    const binding = [`${HOST}:${port}`, '-m', '1', '-timeout', '10', '-key', 'callee_port', String(calleePort)]
    const { status } = spawnSync('sipp', sipp('register.xml', registerPort, binding), { stdio: 'ignore' })
    if (status !== 0) throw new Error('the callee could not register')
    await call(options['warm-up'], `warm-${mode}-${k}`)
    await measure(registrar, mode, 'call', options.calls, () => call(options.calls, `run-${mode}-${k}`))
  } finally {
    callee.kill()
    await registrar.stop()
  }
}

async function registrations(mode) {
  const users = Array.from({ length: options.users }, (_, n) => userName(n))
  const registrar = await start(mode, { users, digest: true, redirect: true })
  const load = await RegistrarLoad.open({ port, users: options.users })
  const run = async (what, count) => {
    const before = load.failed
    await load.run({ what, count, inFlight: IN_FLIGHT })
    return load.failed - before
  }
  const byTurns = async () => {
    let bad = 0
    for (let done = 0; done < options.operations; done += 1_000) {
      bad += await run('refresh', 200)
      bad += await run('lookup', 800)
    }
    return bad
  }
  try {
    await load.registerAll()
    for (const what of ['refresh', 'lookup']) {
      await run(what, options['warm-up'])
      await measure(registrar, mode, what, options.operations, () => run(what, options.operations))
    }
    await measure(registrar, mode, 'mixed', options.operations, byTurns)
  } finally {
    load.close()
    await registrar.stop()
  }
}

if (spawnSync('sipp', ['-v']).error !== undefined) {
  console.error('sipp is not installed (apt-get install sip-tester)')
  process.exit(2)
}
for (let k = 0; k < options.rounds; k++) {
  for (const mode of MODES) {
    await calls(mode, k)
    await registrations(mode)
  }
}
printLine({ medianUs: Object.fromEntries([...measured].map(([key, all]) => [key, rounded(median(all), 1)])), failed })
process.exit(failed === 0 ? 0 : 1)
