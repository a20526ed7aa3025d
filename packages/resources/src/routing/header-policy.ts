// SPDX-License-Identifier: MIT
//
// HeaderPolicy: what is taken from, put into and changed in requests that go by a domain, a trunk or a route that names it.
// Headers of which a proxy must keep its hands are refused: those of routing, dialog and body, and From and To, which
// belong to the ends [RFC3261-16.6]. What a caller shows of himself is a trunk's `callerId`.
import { z } from 'zod'
import { API_VERSION, clusterMetadata } from '../envelope.ts'

/** Long and compact forms. */
const UNTOUCHABLE = new Set([
  ...[
    'via',
    'v',
    'route',
    'record-route',
    'max-forwards',
    'from',
    'f',
    'to',
    't',
    'call-id',
    'i',
    'cseq',
    'contact',
    'm',
  ],
  ...['content-type', 'c', 'content-length', 'l', 'content-encoding', 'e', 'authorization', 'proxy-authorization'],
  ...['require', 'proxy-require', 'supported', 'k', 'path', 'service-route', 'rseq', 'rack', 'expires', 'event', 'o'],
])

export const MAX_EDITS = 32

const headerName = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9\-.!%*_+`'~]+$/, 'expected the name of a header')
  .refine((name) => !UNTOUCHABLE.has(name.toLowerCase()), {
    error:
      'expected a header that a proxy may change: not one of routing, dialog, body or credentials, nor From and To',
  })

/** One line of a header. */
const headerValue = z
  .string()
  .max(4_096)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a value must not end its line
  .regex(/^[^\u0000-\u0008\u000a-\u001f\u007f]*$/, 'expected one line of text')

export const headerPolicySchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('HeaderPolicy'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      /** First. `value`: only headers that have exactly this one. */
      remove: z
        .array(
          z.union([
            headerName.transform((name) => ({ name, value: '' })),
            z.strictObject({ name: headerName, value: headerValue.default('') }),
          ]),
        )
        .max(MAX_EDITS)
        .default([]),
      /** Then. Values that are, or begin with, `match` get `value` in its place; without `match` the whole value is replaced. */
      rewrite: z
        .array(z.strictObject({ name: headerName, match: headerValue.optional(), value: headerValue }))
        .max(MAX_EDITS)
        .default([]),
      /** Last. */
      add: z
        .array(z.strictObject({ name: headerName, value: headerValue.min(1) }))
        .max(MAX_EDITS)
        .default([]),
      /** `id` asks those behind to keep the caller's identity to themselves, `none` says that they need not; `remove` takes away what the caller asked. */
      privacy: z.enum(['keep', 'id', 'none', 'remove']).default('keep'),
    })
    .prefault({}),
})
export type HeaderPolicy = z.infer<typeof headerPolicySchema>
