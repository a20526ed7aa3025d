// SPDX-License-Identifier: MIT
import type { DnsResolver } from './resolver.ts'

/** The DnsResolver over node:dns/promises. servers: 'address[:port]', the system's where absent. */
export function createNodeResolver(options?: { servers?: readonly string[]; timeoutMs?: number }): DnsResolver {
  throw new Error(`surface only ${options}`)
}
