// SPDX-License-Identifier: MIT
//
// What idle connections cost: opens many to the edges of a cluster whose parts are processes, registers each with a flow of its own
// (`--register 0`: not), keeps them alive with pings, waits until it is quiet, and says how much the edges' processes have grown.
//
//   npm run build && node bench/connections.mjs [--transport tls] [--connections 10000] [--edges 1] [--register 1] [--settle 10]
//   node bench/connections.mjs --transport tcp --connections 50000 --edges 3 --register 0
//
// One process holds as many connections as `ulimit -n` allows, on both sides: 50,000 with a limit of 20,000 take three edges, and three
// clients come of themselves. Prints one JSON line: KiB of resident memory for each connection, KiB for each of the second half (an edge that
// has never worked has not touched all of its young generation yet), connections accepted in a second, and how many of a sample of 100 on
// each client had an OPTIONS answered at the end. `--curves X25519` has the clients offer no ML-KEM. Handshakes are capped as the configuration has them
// unless `--handshakes` names a rate. Ends with 1 where a connection has failed or an answer was missing.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { flags, printLine, rounded } from './support/numbers.mjs'
import { makeCertificate, startTandem, temporaryFolder } from './support/tandem.mjs'

const CLIENT = new URL('./support/idle-clients.mjs', import.meta.url)
const FILES_FOR_OTHERS = 200
const USER_CONTACTS = 100
const ADDRESSES = 100
const SAMPLE = 100

const options = flags({
  transport: 'tls',
  connections: 10_000,
  edges: 1,
  register: 1,
  settle: 10,
  ping: 25,
  parallel: 50,
  handshakes: 0,
  key: 'ecdsa',
  'max-version': 'TLSv1.3',
  curves: 'auto',
  'base-port': 26_000,
})

/** Files that a process may have open; its soft limit is raised to the hard one by Node. */
function fileLimit() {
  const line = /Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'))
  return Number(line?.[1] ?? Number.POSITIVE_INFINITY)
}

/** Two clients for each edge, one after the other; each has users of its own, USER_CONTACTS connections to one. */
function clientPlans(ca) {
  const count = Math.ceil(options.connections / options.edges / 2)
  if (2 * count + FILES_FOR_OTHERS > fileLimit()) {
    console.error(
      `${2 * count} connections on one edge, but ulimit -n is ${fileLimit()}: more --edges, or a higher limit`,
    )
    process.exit(2)
  }
  return Array.from({ length: 2 * options.edges }, (_, group) => ({
    group,
    count: Math.min(count, options.connections - group * count),
    transport: options.transport,
    port: options['base-port'] + 100 * (group % options.edges) + (options.transport === 'tls' ? 1 : 0),
    ca,
    maxVersion: options['max-version'],
    curves: options.curves,
    users: Array.from({ length: Math.ceil(count / USER_CONTACTS) }, (_, k) => `user${group}x${k}`),
    registers: options.register > 0,
    addresses: ADDRESSES,
    parallel: options.parallel,
    pingS: options.ping,
  }))
}

function startCluster(folder, { certFile, keyFile }, plans) {
  return startTandem({
    folder,
    basePort: options['base-port'],
    users: plans.flatMap(({ users }) => users),
    processes: 'many',
    edge: {
      count: options.edges,
      keepAliveMs: options.ping * 1_000,
      tls: { certificates: [{ certFile, keyFile }] },
      ...(options.handshakes === 0 ? {} : { limits: { handshakesPerSecond: options.handshakes } }),
    },
    location: { maxContacts: USER_CONTACTS },
  })
}

async function ask(client, question) {
  client.send({ ask: question })
  const [answer] = await once(client, 'message')
  return answer
}

const sumOf = (list, key) => list.reduce((sum, one) => sum + one[key], 0)
const edgeBytes = (cluster) => cluster.rssBytes(cluster.edges)

const clients = []

/** Opens the connections of these clients; resolves with the seconds that it took, and what the edges held when it was quiet again. */
async function openSome(some) {
  const began = performance.now()
  const children = some.map((plan) => fork(CLIENT, [JSON.stringify(plan)]))
  clients.push(...children)
  await Promise.all(children.map((client) => once(client, 'message')))
  const seconds = (performance.now() - began) / 1_000
  await sleep(options.settle * 1_000)
  return { seconds, bytes: edgeBytes(cluster) }
}

const folder = temporaryFolder()
const certificate = makeCertificate(folder, options.key)
const plans = clientPlans(certificate.ca)
const cluster = await startCluster(folder, certificate, plans)
try {
  const before = edgeBytes(cluster)
  const first = await openSome(plans.slice(0, options.edges))
  const second = await openSome(plans.slice(options.edges))
  const seconds = first.seconds + second.seconds
  const states = await Promise.all(clients.map((client) => ask(client, 'state')))
  const samples = await Promise.all(clients.map((client) => ask(client, SAMPLE)))
  const open = sumOf(states, 'open')
  const [asked, answered] = [sumOf(samples, 'asked'), sumOf(samples, 'answered')]
  printLine({
    transport: options.transport,
    edges: options.edges,
    registered: options.register > 0,
    open,
    failed: sumOf(states, 'failed'),
    pongs: sumOf(states, 'pongs'),
    seconds: rounded(seconds, 1),
    perSecond: Math.round(open / seconds),
    edgesMiB: [before, first.bytes, second.bytes].map((bytes) => Math.round(bytes / 1_048_576)),
    kibPerConnection: rounded((second.bytes - before) / open / 1_024, 1),
    kibPerFurther: rounded((second.bytes - first.bytes) / (open / 2) / 1_024, 1),
    sample: `${answered} of ${asked} answered`,
  })
  process.exitCode = open === options.connections && answered === asked ? 0 : 1
} finally {
  for (const client of clients) client.disconnect()
  await cluster.stop()
}
