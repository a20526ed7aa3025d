// SPDX-License-Identifier: MIT
//
// `edge.readiness` and `edge.drain`: when an edge says that it takes calls, and how it goes.
import { z } from 'zod'
import { durationMs } from './values.ts'

export const readiness = z
  .strictObject({
    probe: z
      .boolean()
      .default(true)
      .describe(
        'Whether an edge must answer OPTIONS that it sends to its own ports before it is ready, and as long as it is.',
      ),
    intervalMs: durationMs(100, 60_000).default(5_000).describe('Time between two of them.'),
    timeoutMs: durationMs(50, 10_000).default(2_000).describe('How long the answer to one may take.'),
    failures: z
      .int()
      .min(1)
      .max(100)
      .default(2)
      .describe('Without an answer in a row, after which the edge is not ready.'),
    maxLagMs: durationMs(0, 60_000)
      .default(500)
      .describe(
        'An edge whose event loop is late by more than this in the mean of an interval is not ready; 0: whatever it is. Retransmissions begin at T1.',
      ),
  })
  .prefault({})

export const drain = z
  .strictObject({
    newRequests: z
      .enum(['auto', 'refuse', 'take'])
      .default('auto')
      .describe(
        'What an edge that goes does with requests that begin something: 503 with Retry-After, so that the client goes to another one, or take them as before, while a balancer finds out. `auto`: take them where another edge has the same address, for nobody can choose another one there.',
      ),
    noticeMs: durationMs(0, 600_000)
      .default(0)
      .describe(
        'Time that a load balancer gets to see that the edge is not ready, before anything else happens. Part of `shutdown.drainMs`. Kubernetes has its own (preStop).',
      ),
    connectionsMs: durationMs(0, 600_000)
      .default(5_000)
      .describe(
        'Over this time an edge that goes closes the connections of phones, those with no request under way, so that they come back elsewhere one after the other (RFC 5626 §4.5). At most `shutdown.drainMs`.',
      ),
  })
  .prefault({})
