// SPDX-License-Identifier: MIT
//
// Settings of the records service: where finished call records go, and what happens to them while a sink is away.
import { z } from 'zod'
import { fraudWebhook } from './fraud-webhook.ts'
import { address, durationMs, port } from './values.ts'

const YEARS_10_MS = 315_360_000_000

const bytes = (minimum: number) => z.int().min(minimum)

/** What every sink has. */
const everySink = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'expected 1 to 32 lower-case letters, digits or dashes')
    .describe('Its own, for good: its place in the feed, its spool and its metrics go by it.'),
  maxLagMs: durationMs(100).default(30_000).describe('A sink that is further behind than this spools to disk.'),
  maxLagRecords: z
    .int()
    .min(1)
    .max(65_536)
    .default(1_024)
    .describe('Records that may wait unacknowledged; a sink that fails with as many spools at once.'),
  spoolMaxBytes: bytes(65_536)
    .default(1_073_741_824)
    .describe('Of the spool; what comes beyond it goes to the dead-letter file.'),
  retryMinMs: durationMs(1).default(100).describe('First pause after a failed write; doubled, with jitter …'),
  retryMaxMs: durationMs(1).default(5_000).describe('… up to this.'),
}

const rotate = z
  .strictObject({
    maxBytes: bytes(0).default(268_435_456).describe('Size at which a new file is begun; 0: never for its size.'),
    every: z.enum(['never', 'hour', 'day']).default('never').describe('A new file each hour or day of UTC.'),
    keepFiles: z.int().min(0).default(0).describe('Rotated files that are kept; 0: all.'),
    keepMs: durationMs(0, YEARS_10_MS).default(0).describe('Age at which a rotated file is removed; 0: never.'),
    gzip: z.boolean().default(false).describe('Compress rotated files, the newest one apart.'),
  })
  .prefault({})

const ndjson = z.strictObject({
  type: z.literal('ndjson'),
  ...everySink,
  file: z.string().default('').describe('One JSON object a line; empty: `records.file`.'),
  rotate,
})

const csv = z.strictObject({
  type: z.literal('csv'),
  ...everySink,
  file: z.string().min(1).describe('One record a line behind a header (RFC 4180).'),
  escapeFormulas: z
    .boolean()
    .default(true)
    .describe('Put an apostrophe before a value that a spreadsheet would take for a formula.'),
  rotate,
})

const tls = z
  .strictObject({
    mode: z
      .enum(['off', 'require', 'verify'])
      .default('off')
      .describe('`require` encrypts and takes any certificate; `verify` checks it and the name.'),
    caFile: z.string().default('').describe('PEM of the authorities; empty for those that come with Node.'),
    certFile: z.string().default('').describe('PEM: the certificate that we show; empty for none.'),
    keyFile: z.string().default('').describe('PEM: its private key.'),
    serverName: z.string().default('').describe('Name that the certificate is verified for; empty: the host.'),
  })
  .prefault({})

const postgres = z.strictObject({
  type: z.literal('postgres'),
  ...everySink,
  url: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected postgres://user@host:port/database')
    .describe('postgres://user@host:port/database; keep the password out of it.'),
  passwordFile: z.string().default('').describe('File with the password.'),
  passwordEnv: z.string().default('PGPASSWORD').describe('Environment variable with it, where there is no file.'),
  table: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,39}$/, 'expected a plain lower-case name')
    .default('cdr')
    .describe('Its table; made at the first start.'),
  timeoutMs: durationMs(100, 600_000).default(10_000).describe('Of connecting, and of one statement.'),
  tls,
})

const webhook = z.strictObject({
  type: z.literal('webhook'),
  ...everySink,
  url: z.url({ protocol: /^https?$/ }).describe('http:// or https://; redirects are not followed.'),
  secretFile: z
    .string()
    .default('')
    .describe(
      'File with the secret that signs, one a line; several all sign. Empty with no variable either: unsigned.',
    ),
  secretEnv: z.string().default('').describe('Environment variable with it, where there is no file.'),
  authorizationFile: z.string().default('').describe('File with the value of the Authorization header.'),
  headers: z.record(z.string(), z.string()).default({}).describe('Further headers.'),
  caFile: z.string().default('').describe('PEM of the authorities; empty for those that come with Node.'),
  batchRecords: z.int().min(1).max(512).default(1).describe('Records of one request, at most.'),
  concurrency: z.int().min(1).max(64).default(8).describe('Requests at once.'),
  timeoutMs: durationMs(100, 600_000).default(10_000).describe('Of one request.'),
  maxAgeMs: durationMs(1_000, YEARS_10_MS)
    .default(86_400_000)
    .describe('Age at which a record that the endpoint does not take goes to the dead-letter file.'),
  retryMaxMs: durationMs(1).default(60_000).describe('Longest pause after a failed request.'),
})

const sink = z.discriminatedUnion('type', [ndjson, csv, postgres, webhook])

const ledger = z.strictObject({
  sink: z
    .string()
    .regex(/^([a-z0-9][a-z0-9-]{0,31})?$/, 'expected the name of a sink')
    .default('')
    .describe(
      'Name of the `postgres` sink whose database takes a copy of the ledgers of all accounts; empty: there is none.',
    ),
  table: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,39}$/, 'expected a plain lower-case name')
    .default('ledger')
    .describe('Its table; made at the first start.'),
  keepEntries: z
    .int()
    .min(0)
    .max(10_000)
    .default(1_000)
    .describe(
      'Of what is copied the store keeps the newest, for each account so many, and all of the last minutes; older ones are folded into a checkpoint.',
    ),
  window: z
    .int()
    .min(16)
    .max(1_024)
    .default(64)
    .describe('Parts of ledgers on their way at once, of 256 entries at most.'),
  retryMinMs: durationMs(1).default(100).describe('First pause after a failed write; doubled, with jitter.'),
  retryMaxMs: durationMs(1).default(5_000).describe('The longest pause between two writes.'),
})

export const records = z.strictObject({
  bindAddress: address().default('127.0.0.1').describe('IP address of HTTP.'),
  httpPort: port().default(9_566).describe('HTTP port (`/metrics`, `/healthz`, `/readyz`, `/records`).'),
  node: z
    .string()
    .regex(/^[A-Za-z0-9._-]{0,64}$/, 'expected letters, digits, dots, dashes')
    .default('')
    .describe('Name of this records node among several, the same after a restart; empty: the name of the machine.'),
  file: z
    .string()
    .min(1)
    .default('data/cdr.ndjson')
    .describe(
      'File of the NDJSON sink that names none, one JSON object a line; relative to the working directory, as all files here.',
    ),
  spoolFolder: z
    .string()
    .default('')
    .describe(
      'Folder of what sinks could not take yet, and of dead letters; of this node alone. Empty: `spool` beside `records.file`.',
    ),
  deadLetterMaxBytes: bytes(65_536)
    .default(104_857_600)
    .describe('Size at which a new dead-letter file is begun; per sink.'),
  deadLetterFiles: z.int().min(1).max(10_000).default(10).describe('Full dead-letter files that are kept per sink.'),
  window: z
    .int()
    .min(1)
    .max(4_096)
    .default(256)
    .describe('Records in flight without acknowledgement, per sink, where its `maxLagRecords` is not more.'),
  sinks: z
    .array(sink)
    .max(16)
    .refine((sinks) => new Set(sinks.map(({ name }) => name)).size === sinks.length, 'expected distinct names')
    .prefault([{ type: 'ndjson', name: 'ndjson' }])
    .describe(
      'Where finished call records go, each once: [sinks.md](../sinks.md). Each entry has a `type` and a `name`.',
    ),
  retiredSinks: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'expected names of sinks'))
    .max(64)
    .default([])
    .describe(
      'Names of sinks that are no more: what the feed holds for them is let go. One of `sinks` is none of these.',
    ),
  ledger: ledger
    .prefault({})
    .describe('The copy of account ledgers in PostgreSQL: [charging.md](charging.md#the-copy).'),
  fraudWebhook: fraudWebhook
    .prefault({})
    .describe('An HTTP endpoint that is told what rules against fraud find: [fraud.md](fraud.md#webhook).'),
})
