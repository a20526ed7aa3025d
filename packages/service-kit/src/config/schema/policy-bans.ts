// SPDX-License-Identifier: MIT
//
// `policy.bans`: what becomes of those who guess passwords.
import { z } from 'zod'
import { durationMs } from './values.ts'

const DAY_MS = 86_400_000
const failures = () => z.int().min(0).max(500)

export const bans = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe('Count wrong passwords and ban whoever has too many; without it nonces are good for any source too.'),
    windowMs: durationMs(1_000, DAY_MS).default(600_000).describe('A wrong password counts for this long.'),
    pairFailures: failures()
      .default(10)
      .describe(
        'Wrong passwords of one user from one source in the window, at which he is banned from there; 0: never.',
      ),
    sourceFailures: failures()
      .default(60)
      .describe(
        'Wrong passwords and attempts of banned users from one source (an IPv4 address, an IPv6 /64) in the window, at which all that comes from it is banned; 0: never.',
      ),
    tokens: z
      .boolean()
      .default(true)
      .describe('A bearer token that the issuer has not signed counts as a wrong password of the source it came from.'),
    userFailures: failures()
      .default(50)
      .describe(
        'Wrong passwords of one user from all sources in the window, at which he is banned from everywhere but where he proved himself lately; 0: never.',
      ),
    firstMs: durationMs(1_000, DAY_MS)
      .default(60_000)
      .describe('Length of a first ban; each that follows is twice as long.'),
    maxMs: durationMs(1_000, 30 * DAY_MS)
      .default(DAY_MS)
      .describe('Longest ban.'),
    forgetMs: durationMs(0, 30 * DAY_MS)
      .default(DAY_MS)
      .describe('So long after the end of a ban the next one is longer; later it is a first one again.'),
    spareMs: durationMs(0, 30 * DAY_MS)
      .default(DAY_MS)
      .describe('“Lately”: a source where a user proved himself within this time is spared when that user is banned.'),
    allow: z
      .array(z.union([z.cidrv4(), z.cidrv6()]))
      .max(1_000)
      .default(['127.0.0.0/8', '::1/128'])
      .describe(
        'Networks that are never counted or banned, and for which a nonce of one address is good at another: proxies, and load balancers that hide who is behind them.',
      ),
    maxBans: z
      .int()
      .min(10)
      .max(100_000)
      .default(10_000)
      .describe('Bans that the cluster remembers; beyond it those go that end first.'),
    withoutStore: z
      .enum(['local', 'off'])
      .default('local')
      .describe('While the store is away each policy node counts for itself, or nothing is counted.'),
  })
  .prefault({})
