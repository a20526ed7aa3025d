#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// CPU time per call with bindings, and the directory of calls, in Redis, beside Kamailio with db_redis (db_mode 3), which keeps its
// transactions to itself; every process of either side is counted, Redis too. Contestants in turn, as many rounds of all of them as asked for.
//
//   npm run build && node bench/redis-calls.mjs [--rate 1000] [--calls 10000] [--rounds 3] [--warm-up 4000] [--base-port 27000]
//        [--only tandem,tandem-redis,tandem-redis-many,tandem-redis-full,tandem-redis-many-full,kamailio,kamailio-redis]
//
// The call is that of `npm run bench` (bench/scenarios, SIPp): one registered callee, INVITE, 100, 180, 200, ACK, 100 ms, BYE, 200,
// Record-Route, no authentication, no records. The first `--warm-up` calls are not counted. Prints one JSON line for each contestant and round;
// the last has the medians and their ratios. `full`: the same call with digest (INVITE, 407, ACK, INVITE again), an account that pays, rules
// against fraud and a record. Ends with 1 where a call has failed, with 2 where SIPp is not installed.
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { flags, median, printLine, rounded } from './support/numbers.mjs'
import { chooseContestants, isFull, perItem, Registrar } from './support/registrars.mjs'
import { temporaryFolder } from './support/tandem.mjs'

const options = flags({
  rate: 1_000,
  calls: 10_000,
  rounds: 3,
  'warm-up': 4_000,
  only: 'tandem-redis,tandem-redis-many,kamailio-redis',
  'base-port': 27_000,
})
const HOST = '127.0.0.1'
const SCENARIOS = join(dirname(fileURLToPath(import.meta.url)), 'scenarios')
const port = options['base-port']
const [calleePort, registerPort, callerPort] = [port + 70, port + 71, port + 72]
const folder = temporaryFolder()

const sippArguments = (scenario, from, more) => [
  ...['-sf', scenario, '-i', HOST, '-p', String(from), '-nostdin'],
  ...more,
]
const fileOf = (scenario) => join(SCENARIOS, scenario)

/** The scenario with a challenge: its first request comes once more, with credentials; every CSeq after it is one higher. */
function withDigest(scenario) {
  const xml = readFileSync(fileOf(scenario), 'latin1')
  const [first] = /<send retrans="500">[\s\S]*?<\/send>\n/.exec(xml)
  const [, method, uri] = /(INVITE|REGISTER) (\S+) SIP/.exec(first)
  const isInvite = method === 'INVITE'
  const raised = (text) => text.replaceAll(/CSeq: (\d)/g, (_, number) => `CSeq: ${Number(number) + 1}`)
  const again = raised(first).replace(`CSeq: 2 ${method}\n`, `CSeq: 2 ${method}\n[authentication]\n`)
  const ack = `<send><![CDATA[\nACK ${uri} SIP/2.0\n[last_Via:]\nMax-Forwards: 70\n[last_From:]\n[last_To:]\nCall-ID: [call_id]\nCSeq: 1 ACK\nContent-Length: 0\n\n]]></send>\n`
  const challenge = `<recv response="100" optional="true"/>\n<recv response="${isInvite ? 407 : 401}" auth="true"/>\n${isInvite ? ack : ''}`
  const [head, rest] = xml.split(first)
  const file = join(folder, `digest-${scenario}`)
  writeFileSync(file, `${head}${first}${challenge}${again}${raised(rest)}`)
  return file
}
const credentials = (user) => ['-au', user, '-ap', `${user}-secret`]

/** The callee's binding names its port: SIPp's key for it is set here. */
function registerCallee(isAsked) {
  const more = [`${HOST}:${port}`, '-m', '1', '-timeout', '10', '-key', 'callee_port', String(calleePort)]
  const scenario = isAsked ? withDigest('register.xml') : fileOf('register.xml')
  const args = sippArguments(scenario, registerPort, [...more, ...credentials('bob')])
  const run = spawnSync('sipp', args, { stdio: 'ignore' })
  if (run.status !== 0) throw new Error('the callee could not register')
}

/** Resolves with SIPp's own count. */
async function call(calls, name, isAsked) {
  const csv = join(folder, `${name}.csv`)
  const flow = ['-r', String(options.rate), '-m', String(calls), '-l', '50000']
  const statistics = ['-trace_stat', '-stf', csv, '-fd', '1']
  const more = [`${HOST}:${port}`, ...flow, ...statistics, ...credentials('alice')]
  const scenario = isAsked ? withDigest('uac.xml') : fileOf('uac.xml')
  const caller = spawn('sipp', sippArguments(scenario, callerPort, more), { stdio: 'ignore' })
  await new Promise((resolve) => caller.once('exit', resolve))
  const [head, ...rows] = readFileSync(csv, 'latin1')
    .trim()
    .split('\n')
    .map((line) => line.split(';'))
  const column = (title) => Number(rows.at(-1)?.[head.indexOf(title)] ?? Number.NaN)
  return {
    ok: column('SuccessfulCall(C)'),
    failed: column('FailedCall(C)'),
    retransmissions: column('Retransmissions(C)'),
  }
}

async function round(name, k) {
  const registrar = await Registrar.start(name, { folder, port, users: ['alice', 'bob'] })
  const callee = spawn('sipp', sippArguments(fileOf('uas.xml'), calleePort, []), { stdio: 'ignore' })
  try {
    registerCallee(isFull(name))
    await call(options['warm-up'], `warm-${name}-${k}`, isFull(name))
    const before = registrar.spent()
    const began = performance.now()
    const counts = await call(options.calls, `run-${name}-${k}`, isFull(name))
    const callsPerSecond = Math.round((options.calls * 1_000) / (performance.now() - began))
    return { proxy: name, cpuUs: perItem(before, registrar.spent(), options.calls), callsPerSecond, ...counts }
  } finally {
    callee.kill()
    await registrar.stop()
  }
}

if (spawnSync('sipp', ['-v']).error !== undefined) {
  console.error('sipp is not installed (apt-get install sip-tester)')
  process.exit(2)
}
const names = chooseContestants(options.only)
const measured = new Map(names.map((name) => [name, []]))
let failed = 0
for (let k = 0; k < options.rounds; k++) {
  for (const name of names) {
    const result = await round(name, k)
    printLine(result)
    measured.get(name).push(result.cpuUs.all)
    failed += options.calls - result.ok
  }
}
const medians = Object.fromEntries(names.map((name) => [name, median(measured.get(name))]))
const ratios = {}
for (const ours of names.filter((name) => name.startsWith('tandem')))
  for (const theirs of names.filter((name) => name.startsWith('kamailio')))
    ratios[`${ours} / ${theirs}`] = rounded(medians[ours] / medians[theirs], 2)
printLine({ medianUsPerCall: medians, ratios, failed })
process.exit(failed === 0 ? 0 : 1)
