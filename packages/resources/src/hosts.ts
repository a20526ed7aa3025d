// SPDX-License-Identifier: MIT
//
// Host patterns: a host name or address as it stands in a URI, or `*.suffix`, which covers every name below the suffix but
// not the suffix itself. Among patterns the longest suffix wins; a name written out wins over every pattern.
import { z } from 'zod'
import { hostName } from './envelope.ts'

const WILDCARD = /^\*\.[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/

const wildcardName = z
  .string()
  .max(255)
  .regex(WILDCARD, 'expected a host name, an IP address or *.NAME')
  .transform((host) => host.toLowerCase())

/** A name of a domain: written out, or a wildcard for all names below one. */
export const hostOrWildcard = z.union([hostName, wildcardName], {
  error: 'expected a host name, an IP address or *.NAME',
})

/** A host to which requests may be relayed; `*` is every name, but no address: addresses are written out. */
export const relayPattern = z.union([z.literal('*'), hostName, wildcardName], {
  error: 'expected a host name, an IP address, *.NAME or *',
})

export const isWildcard = (host: string): boolean => host.startsWith('*')

/** An IPv4 address, or anything in brackets. */
export const isAddress = (host: string): boolean => host.startsWith('[') || IPV4.test(host)

/** Lower case, without the dot that may end a name. */
export function plainHost(host: string): string {
  const lower = host.toLowerCase()
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}

/**
 * What `patterns` holds for the longest `*.suffix` that covers `host`.
 * @param patterns by suffix with its leading dot, e.g. `.example.test`
 */
export function longestSuffix<T>(patterns: ReadonlyMap<string, T>, host: string): T | undefined {
  if (patterns.size === 0 || isAddress(host)) return undefined
  for (let dot = host.indexOf('.', 1); dot > 0; dot = host.indexOf('.', dot + 1)) {
    const found = patterns.get(host.slice(dot))
    if (found !== undefined) return found
  }
  return undefined
}
