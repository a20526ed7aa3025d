// SPDX-License-Identifier: MIT
//
// `edge.decide`: how edges ask policy whether a request may pass, and what they do when it gives no answer that can be used.
import { z } from 'zod'
import { durationMs } from './values.ts'

const failures = () => z.int().min(1).max(100_000)
const ratio = () => z.number().min(0).max(1)
const windowMs = () => durationMs(100, 600_000)
const openMs = () => durationMs(10, 600_000)
const probes = () => z.int().min(1).max(100)
const whenAway = () => z.enum(['closed', 'open', 'last-known'])

const domain = z.strictObject({
  deadlineMs: durationMs(10, 30_000).optional(),
  whenAway: whenAway().optional(),
  breaker: z
    .strictObject({
      failures: failures().default(20),
      ratio: ratio().default(0.5),
      windowMs: windowMs().default(10_000),
      openMs: openMs().default(2_000),
      probes: probes().default(1),
    })
    .optional(),
})

/** As a Request-URI names it, in lower case; an IPv6 address in brackets. */
const DOMAIN = /^(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])$/

export const decide = z
  .strictObject({
    deadlineMs: durationMs(0, 30_000)
      .default(0)
      .describe('Time for the decision on a request; 0: `rpc.timeoutMs`. After it the failure mode answers.'),
    whenAway: whenAway()
      .default('closed')
      .describe(
        'The failure mode: what becomes of a request on which policy gives no usable answer. `closed`: 503. `open`: it goes to whoever of ours is registered under its Request-URI. `last-known`: as policy decided lately on the same caller and callee; for others of whom this edge knows the registration as with `open`. Never a REGISTER, never out of the cluster, never what would be charged.',
      ),
    emergencyTargets: z
      .array(z.string().regex(/^sips?:[!-~]{1,500}$/, 'expected a sip or sips URI'))
      .max(16)
      .default([])
      .describe(
        'Where calls to `edge.admission.emergencyNumbers` go while policy gives no answer, tried in order, whatever the failure mode; empty: as the failure mode says.',
      ),
    lastKnown: z
      .strictObject({
        maxEntries: z
          .int()
          .min(1)
          .max(1_000_000)
          .default(10_000)
          .describe('Decisions, and registrations, that an edge keeps for `last-known`; the oldest goes first.'),
        maxAgeMs: durationMs(1_000, 86_400_000).default(3_600_000).describe('Age after which one counts for nothing.'),
      })
      .prefault({}),
    breaker: z
      .strictObject({
        enabled: z
          .boolean()
          .default(true)
          .describe('Leave a policy node alone that fails too often. Per edge and node, not in one process.'),
        failures: failures()
          .default(20)
          .describe('Failures (timeouts, broken streams, no outcome) in the window, at least.'),
        ratio: ratio().default(0.5).describe('And at least so great a share of all answers.'),
        windowMs: windowMs().default(10_000).describe('The window.'),
        openMs: openMs().default(2_000).describe('How long the node is left alone; then a single probe.'),
        probes: probes()
          .default(1)
          .describe('Probes in a row with an answer after which the node is asked again as ever.'),
        downMs: durationMs(0, 600_000)
          .default(2_000)
          .describe(
            'Without a connection to any node for so long, decisions fail at once; before that they wait for their deadline.',
          ),
      })
      .prefault({}),
    hedgeShare: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe(
        'Retry budget: requests on which a node is silent for half of the deadline and that are given to another node, for each request; 0: none.',
      ),
    domains: z
      .record(z.string().regex(DOMAIN, 'expected the name of a domain in lower case'), domain)
      .refine((all) => Object.keys(all).length <= 10_000, 'expected at most 10000 domains')
      .default({})
      .describe(
        'By host of the Request-URI: `deadlineMs`, `whenAway` and a `breaker` of its own (`failures`, `ratio`, `windowMs`, `openMs`, `probes`, with the defaults above); what is not named is as above.',
      ),
  })
  .prefault({})
