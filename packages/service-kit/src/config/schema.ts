// SPDX-License-Identifier: MIT
//
// The one schema of the cluster file. Types, validation, environment names, docs/reference/configuration.md and Helm's JSON schema
// are all derived from it [DESIGN §3.13]. Closed: unknown keys are refused. Durations end in Ms, sizes in Bytes.
// It holds no setting that nothing reads; a new setting arrives with the code that reads it.
import { z } from 'zod'
import { adminApi } from './schema/console.ts'
import { edge } from './schema/edge.ts'
import { keyRingSchema } from './schema/key-ring.ts'
import { bans } from './schema/policy-bans.ts'
import { policyFraud } from './schema/policy-fraud.ts'
import { policyTrunks } from './schema/policy-trunks.ts'
import { records } from './schema/records.ts'
import { rpcTls } from './schema/rpc-tls.ts'
import { telemetry } from './schema/telemetry.ts'
import { address, durationMs, port } from './schema/values.ts'

const cluster = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, 'expected 1 to 32 lower-case letters, digits or dashes')
    .default('tandem')
    .describe('Name of the cluster; a label of its metrics.'),
  processes: z
    .enum(['single', 'many'])
    .default('single')
    .describe('`tandem up` runs all parts in one process, or one process per service and edge with gRPC between them.'),
  secrets: keyRingSchema.describe(
    'Key ring for branches, Record-Route tokens and nonces. The first key signs, all verify. `tandem up` without any makes one for its run.',
  ),
  secretsFile: z
    .string()
    .default('')
    .describe(
      'File with the key ring, in the place of `cluster.secrets`: a list of `{ id, secret }`, JSON or YAML. It is read again every 2 s, so that keys change without a restart. Relative to the working directory.',
    ),
})

const logging = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least level that is logged; lines are JSON on standard error.'),
  calls: z
    .boolean()
    .default(true)
    .describe('One line of level `info` for each call that ends: [observing.md](../operations/observing.md#lines).'),
  refusals: z.boolean().default(true).describe('One line of level `info` for each request that is refused.'),
  maxLinesPerSecond: z
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .describe('Of each of these two kinds, each process; what is beyond is summed up in a line every 10 s.'),
  users: z
    .enum(['plain', 'hashed', 'off'])
    .default('hashed')
    .describe(
      'How these lines name people: as they are called, by a name that is made from theirs with the secret of the cluster (the same person has the same one), or not at all.',
    ),
})

const shutdown = z.strictObject({
  drainMs: durationMs().default(10_000).describe('How long a stopping process waits for calls in set-up to finish.'),
})

const store = z.strictObject({
  url: z
    .string()
    .regex(
      /^(memory|(redis|rediss|redis-sentinel|redis-cluster):\/\/.+)$/,
      'expected memory or a redis://, rediss://, redis-sentinel:// or redis-cluster:// URL',
    )
    .default('memory')
    .describe('Where state is kept. `memory` is the embedded store: it ends with its process.'),
  resourcesFile: z
    .string()
    .default('data/resources.ndjson')
    .describe(
      'Where the embedded store keeps resources that were applied, over restarts; relative to the working directory. Empty: it forgets them. Not used with Redis, nor without `cluster.secrets`, which seal what is secret in them.',
    ),
  durability: z
    .enum(['async', 'replica', 'fsync'])
    .default('async')
    .describe('What acknowledged means: written to the master, to replicas too, or synced to disk (Redis ≥ 7.2).'),
  replicas: z
    .int()
    .min(1)
    .max(16)
    .default(1)
    .describe(
      'Replicas that must have a write where `store.durability` is `replica`. As many as may become master, for none of them to lack it.',
    ),
  connectTimeoutMs: durationMs(1)
    .default(2_000)
    .describe('Time for one connection attempt; then the next, with backoff.'),
  commandTimeoutMs: durationMs(1).default(1_000).describe('Time for a command; after it the outcome is unknown.'),
  maxInFlight: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20_000)
    .describe('Operations of one process on their way to Redis; more are refused (503) until some have answered.'),
  tls: z
    .strictObject({
      caFile: z
        .string()
        .default('')
        .describe(
          'PEM of the authorities that Redis is verified against, where the URL asks for TLS; empty for those that come with Node. Relative to the working directory, as the other two.',
        ),
      certFile: z.string().default('').describe('PEM: the certificate shown to Redis; empty for none.'),
      keyFile: z.string().default('').describe('PEM: its private key.'),
      serverName: z
        .string()
        .default('')
        .describe(
          'Name that every certificate of Redis is verified for; empty: the host connected to. For nodes of a cluster that announce addresses.',
        ),
    })
    .prefault({}),
})

const location = z.strictObject({
  count: z
    .int()
    .min(1)
    .max(16)
    .default(1)
    .describe('How many location nodes `tandem up --processes many` starts; more than one needs a Redis store.'),
  index: z
    .int()
    .min(0)
    .max(63)
    .default(0)
    .describe(
      'Which location node this process is, from 0; it moves the ports by 100 each. Set by `tandem run location --index`.',
    ),
  bindAddress: address().default('127.0.0.1').describe('IP address of gRPC and HTTP.'),
  grpcPort: port().default(50_051).describe('gRPC port of node 0; node k adds 100k.'),
  httpPort: port()
    .default(9_564)
    .describe('HTTP port of node 0 (`/metrics`, `/healthz`, `/readyz`); node k adds 100k.'),
  address: z
    .string()
    .default('')
    .describe(
      'host:port where edges and tools reach it, several separated by commas; empty means 127.0.0.1 and the gRPC port of each node. All addresses of a name are used.',
    ),
  minExpiresMs: durationMs(1_000).default(60_000).describe('Shortest registration that is taken; below it 423.'),
  defaultExpiresMs: durationMs(1_000).default(3_600_000).describe('Length of a registration that names none.'),
  maxExpiresMs: durationMs(1_000, 604_800_000)
    .default(86_400_000)
    .describe('Longest registration; a longer wish is cut.'),
  maxContacts: z.int().min(1).max(100).default(10).describe('Contacts of one address-of-record.'),
  maxSubscriptions: z
    .int()
    .min(1)
    .max(64)
    .default(16)
    .describe('Watchers of the registrations of one address-of-record; beyond it 403.'),
  notifyIntervalMs: durationMs(0, 3_600_000)
    .default(5_000)
    .describe('Shortest time between two NOTIFYs to a watcher; what changes meanwhile goes into one.'),
})

/** The store ends the record of a call that is older than this. */
const MAX_CALL_MS = 43_200_000

const policy = z.strictObject({
  bindAddress: address().default('127.0.0.1').describe('IP address of gRPC and HTTP.'),
  grpcPort: port().default(50_052).describe('gRPC port.'),
  httpPort: port().default(9_565).describe('HTTP port (`/metrics`, `/healthz`, `/readyz`).'),
  address: z
    .string()
    .default('')
    .describe(
      'host:port where edges, records and tools reach it, of several nodes with commas between them; empty means 127.0.0.1 and the gRPC port.',
    ),
  authentication: z
    .enum(['digest', 'off'])
    .default('digest')
    .describe('`off` takes everybody for whom From says: for benchmarks and closed networks.'),
  accounting: z
    .boolean()
    .default(true)
    .describe('Whether calls leave a record, and an answer waits until it is on record.'),
  nonceLifetimeMs: durationMs(1_000).default(300_000).describe('Age at which a nonce is stale.'),
  replayWithoutStore: z
    .enum(['oneTime', 'open'])
    .default('oneTime')
    .describe(
      'While the store can not say whether a nonce count was used: each policy node takes its own nonces once, or calls within the cluster pass without that check and without a record (then somebody who has seen a request can repeat it as long as its nonce lives).',
    ),
  bans,
  edgeHosts: z
    .array(z.string().min(1))
    .max(1_000)
    .default([])
    .describe(
      'Hosts that edges go by besides `edge.bindAddress` and `edge.advertised*`, as these are here: of edges each of which has an address of its own. Aliases of the domain with `alsoBindAddress`.',
    ),
  challengeOrder: z
    .array(z.enum(['SHA-256', 'MD5']))
    .min(1)
    .max(2)
    .default(['SHA-256', 'MD5'])
    .describe('Digest algorithms that are offered, in this order (RFC 8760 §2.2).'),
  mintKeepMs: durationMs(1_000)
    .default(64_000)
    .describe("How long the decision on an INVITE's transaction is kept for its retransmissions."),
  setupDeadlineMs: durationMs(10_000)
    .default(600_000)
    .describe('A call that is neither answered nor ended by then gets its record as an error.'),
  maxDurationMs: durationMs(0, MAX_CALL_MS)
    .default(0)
    .describe('Talk after which a call on record is ended, where its Domain does not say; 0: no limit.'),
  warnBeforeMs: durationMs(0, 3_600_000)
    .default(0)
    .describe('The caller gets a MESSAGE this long before his call is ended, where that is known in time; 0: none.'),
  warning: z
    .string()
    .min(1)
    .max(500)
    .default('This call will end in {seconds} seconds.')
    .describe('Text of that MESSAGE; `{seconds}` is what is left.'),
  geoIpFile: z
    .string()
    .default('')
    .describe(
      "File in MaxMind's format (.mmdb) with the countries of IP addresses, for rules against fraud; read again when it changes. Relative to the cluster file; empty: none.",
    ),
  fraud: policyFraud.prefault({}).describe('Rules against fraud.'),
  trunks: policyTrunks.prefault({}).describe('Trunks.'),
  livenessIntervalMs: durationMs(0, MAX_CALL_MS)
    .refine((ms) => ms === 0 || ms >= 10_000, 'expected 0 or at least 10000')
    .default(900_000)
    .describe(
      'Between two looks (OPTIONS inside the dialog, to both parties) whether anybody is left of a call on record; 0: never.',
    ),
  charging: z
    .strictObject({
      quantumMs: durationMs(1_000, 3_600_000)
        .default(60_000)
        .describe(
          'Talk that is held in advance for a charged call, at least one increment of its rate. Shorter ties up less of a small balance and costs more renewals.',
        ),
      renewAheadMs: durationMs(5_000, 600_000)
        .default(15_000)
        .describe(
          'A hold grows this long before the talk that it pays for is used up; well above the 4 s that due work takes to come by.',
        ),
      verifyAfterMs: durationMs(30_000, 600_000)
        .default(35_000)
        .describe('How long after a charge the ledger is looked at again, whether it has gone with its master.'),
    })
    .prefault({}),
})

const rpc = z.strictObject({
  batchWindowMs: z.number().min(0).max(2).default(1).describe('Longest wait of an item for its batch.'),
  maxBatchItems: z.int().min(1).max(1_024).default(64).describe('Items at which a batch is sent at once.'),
  timeoutMs: durationMs(10, 30_000)
    .default(2_000)
    .describe('Time for a request to a service; after it the outcome is unknown.'),
  maxPendingItems: z
    .int()
    .min(64)
    .default(20_000)
    .describe('Items in flight to one service; beyond it they are refused at once.'),
  tls: rpcTls,
})

const resources = z.strictObject({
  files: z
    .array(z.string().min(1))
    .default([])
    .describe('Files or folders of resource documents, relative to this file.'),
  documents: z
    .array(z.record(z.string(), z.unknown()))
    .default([])
    .describe(
      'Resource documents inline. Further YAML documents of this file (those with a `kind`) are added to them.',
    ),
})

/** The closed schema of the cluster file, after defaults. */
export const configSchema = z
  .strictObject({
    cluster: cluster.describe('The cluster as a whole.'),
    logging: logging.prefault({}).describe('Logs.'),
    shutdown: shutdown.prefault({}).describe('Stopping.'),
    store: store.prefault({}).describe('The store behind location and policy.'),
    edge: edge.prefault({}).describe('The SIP edges.'),
    location: location.prefault({}).describe('The location service.'),
    policy: policy.prefault({}).describe('The policy service.'),
    records: records.prefault({}).describe('The records service.'),
    console: adminApi.prefault({}).describe('The admin API: [admin-api.md](../admin-api.md).'),
    rpc: rpc.prefault({}).describe('Requests of edges to location and policy.'),
    telemetry: telemetry.prefault({}).describe('What the cluster tells of calls besides records and metrics.'),
    resources: resources.prefault({}).describe('Domains, subscribers and the other declarative resources.'),
  })
  .superRefine((config, context) => {
    const { minExpiresMs, defaultExpiresMs, maxExpiresMs } = config.location
    if (minExpiresMs > defaultExpiresMs)
      context.addIssue({
        code: 'custom',
        path: ['location', 'minExpiresMs'],
        message: 'expected at most location.defaultExpiresMs',
      })
    if (defaultExpiresMs > maxExpiresMs)
      context.addIssue({
        code: 'custom',
        path: ['location', 'defaultExpiresMs'],
        message: 'expected at most location.maxExpiresMs',
      })
    const { keepAliveMs, limits } = config.edge
    if (keepAliveMs >= limits.connectionIdleMs)
      context.addIssue({
        code: 'custom',
        path: ['edge', 'keepAliveMs'],
        message: 'expected less than edge.limits.connectionIdleMs, after which a silent connection is closed',
      })
    if (config.location.count > 1 && config.store.url === 'memory')
      context.addIssue({
        code: 'custom',
        path: ['location', 'count'],
        message: 'expected 1: several location nodes need a store that they share (store.url)',
      })
    const isAlone = config.edge.count === 1 || config.edge.sharedAddress
    for (const [name, text] of Object.entries(config.edge.advertised))
      if (!isAlone && /(?:^[^:]*|\]):\d+$/.test(text))
        context.addIssue({
          code: 'custom',
          path: ['edge', 'advertised', name],
          message: 'expected no port: several edges with addresses of their own can not all have it',
        })
    const { certFile, keyFile, caFile } = config.rpc.tls
    const files = [certFile, keyFile, caFile].filter((file) => file !== '').length
    if (files === 1 || files === 2)
      context.addIssue({
        code: 'custom',
        path: ['rpc', 'tls'],
        message: 'expected certFile, keyFile and caFile, or none of them',
      })
    const { method, maxFailures } = config.edge.natPing
    if (maxFailures > 0 && method !== 'options')
      context.addIssue({
        code: 'custom',
        path: ['edge', 'natPing', 'maxFailures'],
        message: 'expected 0 unless edge.natPing.method is options: nothing else is answered',
      })
    const last = config.edge.basePort + 100 * (config.edge.count - 1) + 90
    if (last > 65_535 && config.edge.basePort <= 65_535)
      context.addIssue({
        code: 'custom',
        path: ['edge', 'basePort'],
        message: `expected a port that leaves room for ${config.edge.count} edges (the last listener would be at ${last})`,
      })
  })

/** The whole configuration, validated and frozen. */
export type Config = Readonly<z.output<typeof configSchema>> & {
  /** Folder of the cluster file, else the working directory: relative paths of resources start here. */
  readonly baseDir: string
}
