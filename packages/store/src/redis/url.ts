// SPDX-License-Identifier: MIT
// Where the store is, from one URL:
//   redis[s]://[user:password@]host[:port][/db]
//   redis-sentinel://[user:password@]host[:port],host[:port]/name[/db][?tls=true&sentinelPassword=…]
//   redis-cluster://[user:password@]host[:port],host[:port][?tls=true]
// Errors name what was expected and never repeat the password.

import { StoreConfigError } from '../errors.ts'

export interface Address {
  host: string
  port: number
}

export interface StoreAddress {
  kind: 'standalone' | 'sentinel' | 'cluster'
  addresses: Address[]
  username: string
  password: string
  db: number
  /** Name of the master that sentinels watch. */
  masterName: string
  sentinelPassword: string
  tls: boolean
}

const SHAPE = /^(rediss?|redis-sentinel|redis-cluster):\/\/(?:([^@/]*)@)?([^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/
const KINDS: Record<string, StoreAddress['kind']> = { 'redis-sentinel': 'sentinel', 'redis-cluster': 'cluster' }

export function parseStoreUrl(url: string): StoreAddress {
  const match = SHAPE.exec(url)
  if (match === null)
    throw new StoreConfigError(
      'store URL: expected redis://host:port, rediss://…, redis-sentinel://host,host/name or redis-cluster://host,host',
    )
  const [, scheme = '', user = '', hosts = '', path = '', query = ''] = match
  const kind = KINDS[scheme] ?? 'standalone'
  const colon = user.indexOf(':')
  const options = new URLSearchParams(query)
  const parts = path.split('/')
  const masterName = kind === 'sentinel' ? decode(parts.shift() ?? '') : ''
  if (kind === 'sentinel' && masterName === '')
    throw new StoreConfigError(
      'store URL: redis-sentinel://host,host/name expects the name of the master after the slash',
    )
  return {
    kind,
    addresses: hosts.split(',').map((host) => parseAddress(host, kind === 'sentinel' ? 26379 : 6379)),
    username: colon < 0 ? '' : decode(user.slice(0, colon)),
    password: decode(user.slice(colon + 1)),
    db: parseDb(kind, parts[0] ?? ''),
    masterName,
    sentinelPassword: options.get('sentinelPassword') ?? '',
    tls: scheme === 'rediss' || ['true', '1'].includes(options.get('tls') ?? ''),
  }
}

function parseAddress(text: string, defaultPort: number): Address {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text)
  const port = Number(match?.[2] ?? defaultPort)
  if (match === null || port < 1 || port > 65_535)
    throw new StoreConfigError(`store URL: expected host or host:port, found "${text}"`)
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port }
}

function parseDb(kind: StoreAddress['kind'], text: string): number {
  if (text === '') return 0
  if (!/^\d{1,5}$/.test(text)) throw new StoreConfigError(`store URL: expected a database number, found "${text}"`)
  if (kind === 'cluster' && text !== '0') throw new StoreConfigError('store URL: a cluster has database 0 only')
  return Number(text)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new StoreConfigError('store URL: user, password and name are percent-encoded')
  }
}
