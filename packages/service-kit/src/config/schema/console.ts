// SPDX-License-Identifier: MIT
//
// Settings of the admin API.
import { z } from 'zod'
import { address, durationMs, port } from './values.ts'

const HASH = /^[0-9a-f]{64}$/

const token = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected letters, digits, dots, dashes')
    .describe('Who holds it; stands in the audit log.'),
  role: z.enum(['read', 'operate', 'admin']).describe('What it allows.'),
  hash: z
    .union(
      [
        z.string().regex(HASH),
        z.strictObject({ file: z.string().min(1) }),
        z.strictObject({ env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/) }),
      ],
      { error: 'expected the 64 hexadecimal digits of a SHA-256, {file: PATH} or {env: NAME}' },
    )
    .describe('SHA-256 of the token, as `tandem token create` prints it.'),
})

const tls = z
  .strictObject({
    mode: z
      .enum(['auto', 'on', 'off'])
      .default('auto')
      .describe(
        '`auto`: TLS beyond loopback, or where a certificate is set. `off` is for a proxy in front that ends TLS.',
      ),
    certFile: z
      .string()
      .default('')
      .describe('PEM: certificate and chain. Empty: the API makes one itself and logs its fingerprint.'),
    keyFile: z.string().default('').describe('PEM: its private key.'),
    folder: z
      .string()
      .min(1)
      .default('data')
      .describe('Where a certificate of its own is kept, relative to the working directory.'),
    reloadMs: durationMs()
      .default(10_000)
      .describe('Time between looks at the files; new connections get what has changed. 0 never looks.'),
  })
  .refine(({ certFile, keyFile }) => (certFile === '') === (keyFile === ''), 'expected certFile and keyFile together')
  .prefault({})

export const adminApi = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether `tandem up` runs it.'),
  bindAddress: address()
    .default('127.0.0.1')
    .describe('IP address of REST and gRPC. Beyond loopback tokens are needed, and TLS is on.'),
  port: port().default(8_080).describe('REST port.'),
  grpcPort: port().default(8_081).describe('gRPC port.'),
  httpPort: port().default(9_567).describe('HTTP port on loopback (`/metrics`, `/healthz`, `/readyz`).'),
  httpAddress: address().default('127.0.0.1').describe('IP address of that HTTP port.'),
  address: z
    .string()
    .default('')
    .describe('URL where tools reach it; empty: the bind address and port. `--api` and `TANDEM_API` are stronger.'),
  tokens: z
    .array(token)
    .max(256)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'expected distinct names')
    .default([])
    .describe('Who may call: each entry has `name`, `role` and `hash`. None: everybody on loopback, with all rights.'),
  tls,
  maxBodyBytes: z.int().min(1_024).max(67_108_864).default(10_485_760).describe('Of one JSON request.'),
  maxApplyBytes: z
    .int()
    .min(1_024)
    .max(67_108_864)
    .default(67_108_864)
    .describe('Of documents that are applied as a stream (`tandem apply` does).'),
  maxRequests: z
    .int()
    .min(1)
    .max(10_000)
    .default(64)
    .describe('Requests in progress; more are told to come later (503).'),
  maxConnections: z.int().min(1).max(100_000).default(512).describe('Connections to REST; further ones are closed.'),
  requestTimeoutMs: durationMs(1_000, 3_600_000).default(60_000).describe('In which a request must have come whole.'),
  callTimeoutMs: durationMs(100, 600_000).default(10_000).describe('Time for location and policy to answer.'),
  applyTimeoutMs: durationMs(1_000, 3_600_000).default(120_000).describe('The same, where resources are applied.'),
  wrongTokens: z
    .strictObject({
      max: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(10)
        .describe('Wrong tokens of one address (of IPv6 its /64) in a window; then 429 to any.'),
      windowMs: durationMs(1_000, 86_400_000).default(60_000).describe('The window.'),
    })
    .prefault({}),
  audit: z
    .strictObject({
      file: z
        .string()
        .default('data/audit.ndjson')
        .describe(
          'Log of changes, one JSON object a line; `-` is standard output, empty none. Relative to the working directory.',
        ),
      maxBytes: z.int().min(0).default(67_108_864).describe('Size at which a new file is begun; 0: never.'),
      keepFiles: z.int().min(1).max(10_000).default(10).describe('Former files that are kept.'),
    })
    .prefault({}),
})
