// SPDX-License-Identifier: MIT
// DnsResolver over node:dns/promises. What DNS does not know is asked of the system's getaddrinfo too, which knows the hosts file and the
// search domains of a container; its answers have no TTL and get a short one.
import { promises as dns } from 'node:dns'
import type { AddressRecord, DnsResolver } from './resolver.ts'

export interface NodeResolverOptions {
  /** 'address[:port]', the system's where absent. */
  readonly servers?: readonly string[]
  /** Of one try; node tries each server twice. */
  readonly timeoutMs?: number
  /** False: DNS alone, no getaddrinfo. */
  readonly useSystem?: boolean
}

const SYSTEM_TTL_S = 10
const ABSENT = new Set(['ENODATA', 'ENOTFOUND', 'ENONAME'])

/** A resolver of its own: nothing of it is shared with other users of node:dns. */
export function createNodeResolver(options: NodeResolverOptions = {}): DnsResolver {
  const resolver = new dns.Resolver({ timeout: options.timeoutMs ?? 1_000, tries: 2 })
  if (options.servers !== undefined) resolver.setServers(options.servers)
  const useSystem = options.useSystem ?? options.servers === undefined
  const addresses = async (name: string, family: 4 | 6): Promise<readonly AddressRecord[]> => {
    if (name === 'localhost') return [{ address: family === 6 ? '::1' : '127.0.0.1', ttl: SYSTEM_TTL_S }]
    const records = family === 6 ? resolver.resolve6(name, { ttl: true }) : resolver.resolve4(name, { ttl: true })
    if (!useSystem) return orEmpty(records)
    return records.catch((error: Error) => systemLookup(name, family, error))
  }
  return {
    naptr: (name) => orEmpty(resolver.resolveNaptr(name)),
    srv: (name) => orEmpty(resolver.resolveSrv(name)),
    a: (name) => addresses(name, 4),
    aaaa: (name) => addresses(name, 6),
  }
}

async function orEmpty<T>(records: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await records
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}

/** Rejects with the first error where that one was no plain "does not exist" and the system does not know the name either. */
async function systemLookup(name: string, family: 4 | 6, first: Error): Promise<readonly AddressRecord[]> {
  try {
    const found = await dns.lookup(name, { family, all: true })
    return found.map(({ address }) => ({ address, ttl: SYSTEM_TTL_S }))
  } catch {
    if (isAbsent(first)) return []
    throw first
  }
}

function isAbsent(error: unknown): boolean {
  return ABSENT.has((error as NodeJS.ErrnoException).code ?? '')
}
