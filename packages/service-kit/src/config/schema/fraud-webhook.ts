// SPDX-License-Identifier: MIT
//
// Settings of the webhook that is told what rules against fraud find.
import { z } from 'zod'
import { durationMs } from './values.ts'

export const fraudWebhook = z.strictObject({
  url: z
    .string()
    .regex(/^(https?:\/\/\S+)?$/, 'expected an http:// or https:// URL')
    .refine((text) => text === '' || URL.canParse(text), 'expected an http:// or https:// URL')
    .default('')
    .describe('http:// or https://; empty: nobody is told. Redirects are not followed.'),
  minLevel: z.enum(['warning', 'critical']).default('warning').describe('Events below this level are not sent.'),
  secretFile: z
    .string()
    .default('')
    .describe('File with the secrets that sign, one a line. Empty with no variable either: unsigned.'),
  secretEnv: z.string().default('').describe('Environment variable with the secret, where there is no file.'),
  authorizationFile: z
    .string()
    .default('')
    .describe('File with the value of the Authorization header; empty for none.'),
  caFile: z.string().default('').describe('PEM of the authorities; empty for those that come with Node.'),
  concurrency: z.int().min(1).max(64).default(8).describe('Requests at once; each carries one event.'),
  timeoutMs: durationMs(100, 600_000).default(10_000).describe('Of one request.'),
  retryMinMs: durationMs(1).default(500).describe('First pause after a failed request; doubled, with jitter.'),
  retryMaxMs: durationMs(1).default(60_000).describe('The longest pause between two requests of one event.'),
  maxAgeMs: durationMs(1_000)
    .default(3_600_000)
    .describe('Age at which an event that the endpoint does not take goes to the dead-letter file.'),
  deadLetterFile: z
    .string()
    .default('')
    .describe('That file, one JSON object a line; empty: `fraud-events.dead.ndjson` beside `records.file`.'),
  deadLetterMaxBytes: z
    .int()
    .min(65_536)
    .default(10_485_760)
    .describe('Size at which it becomes `.1`, in place of the one before.'),
})
