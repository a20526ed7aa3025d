// SPDX-License-Identifier: MIT
//
// Kinds of values that the cluster file has in many places.
import { z } from 'zod'

export const port = () => z.int().min(0).max(65_535)
export const durationMs = (minimum = 0, maximum = 86_400_000) => z.int().min(minimum).max(maximum)
export const address = () => z.string().min(1)
/** `host`, `host:port` or `[IPv6]:port`; empty for none. */
const PLACE = /^(?:|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?|[0-9A-Fa-f]*(?::[0-9A-Fa-f]*){2,}|[A-Za-z0-9.-]+(?::\d{1,5})?)$/
export const place = (what: string) =>
  z
    .string()
    .regex(PLACE, 'expected host, host:port or [IPv6]:port')
    .default('')
    .describe(`${what} Empty: \`edge.advertisedAddress\`, at the port that is bound.`)
export const maybeIp = () => z.union([z.literal(''), z.ipv4(), z.ipv6()])
