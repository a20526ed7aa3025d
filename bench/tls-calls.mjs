// SPDX-License-Identifier: MIT
//
// CPU time per call over TLS, beside Kamailio's TLS listener where it is installed (kamailio, kamailio-tls-modules): the same load, a
// certificate with a P-256 key made for the run, callers and callees registered over TLS 1.3 connections that live as long as the
// round. Calls of the first fifth are not counted. Kamailio runs with the tuned allocator and one worker.
//
//   npm run build && node bench/tls-calls.mjs [--rate 500] [--calls 5000] [--rounds 3] [--connections 4] [--transport tls]
//
// Rounds in turn, one JSON line each; the last line has the ratio of the medians. `connections` are those of each side. `--transport tcp` measures the
// same without TLS. Ends with 1 where a call has failed.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CallLoad } from './support/call-load.mjs'
import { flags, median, percentile, printLine, rounded } from './support/numbers.mjs'
import { Phone } from './support/phones.mjs'
import { perCall, RunningProxy } from './support/proxy.mjs'
import { makeCertificate, READY, tandemCommand, temporaryFolder } from './support/tandem.mjs'

const options = flags({
  rate: 500,
  calls: 5_000,
  rounds: 3,
  connections: 4,
  'base-port': 26_000,
  transport: 'tls',
  only: '',
})
const folder = temporaryFolder()
const { certFile, keyFile, ca } = makeCertificate(folder)
const transport = options.transport
const port = options['base-port'] + (transport === 'tls' ? 1 : 0)
const names = Array.from({ length: options.connections }, (_, k) => k)

function tandem() {
  const users = names.flatMap((k) => [`caller${k}`, `callee${k}`])
  const edge = { tls: { certificates: [{ certFile, keyFile }] } }
  return tandemCommand({ folder, basePort: options['base-port'], users, edge })
}

function kamailio() {
  const config = join(dirname(fileURLToPath(import.meta.url)), 'kamailio-tls.cfg')
  const allocator = ['-m', '256', '-M', '16', '-x', 'fm', '-X', 'fm']
  const files = ['-A', `CERTIFICATE="${certFile}"`, '-A', `PRIVATE_KEY="${keyFile}"`]
  return ['kamailio', '-f', config, '-DD', '-E', ...allocator, ...files, '-l', `${transport}:127.0.0.1:${port}`]
}

async function openPhones(kind) {
  const tls = { ca, servername: 'localhost', minVersion: 'TLSv1.3' }
  const phones = await Promise.all(names.map((k) => Phone.open({ user: `${kind}${k}`, transport, port, tls })))
  await Promise.all(phones.map((phone) => phone.register()))
  return phones
}

async function round(name, command, ready) {
  const proxy = await RunningProxy.start(command, ready)
  try {
    const [callers, callees] = [await openPhones('caller'), await openPhones('callee')]
    await new CallLoad(callers, callees).run(Math.ceil(options.calls / 5), options.rate)
    const load = new CallLoad(callers, callees)
    const before = proxy.spent()
    const { seconds } = await load.run(options.calls, options.rate)
    const result = {
      proxy: name,
      ...perCall(before, proxy.spent(), options.calls),
      callsPerSecond: Math.round(options.calls / seconds),
      ok: load.ok,
      failed: load.failed,
      answerP50Ms: rounded(median(load.answerMs), 2),
      answerP99Ms: rounded(percentile(load.answerMs, 0.99), 2),
      rssMiB: Math.round(proxy.rssBytes() / 1_048_576),
    }
    for (const phone of [...callers, ...callees]) phone.close()
    if (load.failed > 0) console.error(load.firstFailure)
    return result
  } finally {
    await proxy.stop()
  }
}

const contestants = [['tandem', tandem(), { readyLine: READY }]]
if (spawnSync('kamailio', ['-v']).error === undefined) contestants.push(['kamailio', kamailio(), { readyPort: port }])
else console.error('kamailio is not installed: measuring this project alone')
const chosen = contestants.filter(([name]) => options.only === '' || name === options.only)
const results = chosen.map(() => [])
for (let k = 0; k < options.rounds; k++) {
  for (const [at, [name, command, ready]] of chosen.entries()) {
    const result = await round(name, command, ready)
    results[at].push(result)
    printLine(result)
  }
}
const medians = results.map((rounds) => median(rounds.map(({ usPerCall }) => usPerCall)))
const ratio = medians.length === 2 ? { ratio: rounded(medians[0] / medians[1], 2) } : {}
const failed = results.flat().reduce((sum, result) => sum + result.failed, 0)
printLine({ medianUsPerCall: medians, ...ratio, failed })
process.exit(failed === 0 ? 0 : 1)
