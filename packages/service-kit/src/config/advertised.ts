// SPDX-License-Identifier: MIT
//
// The address that edges tell the world, where the configuration does not name it (docs/nat.md, "What an edge calls itself"). In this order:
// `edge.advertised.<listener>`, `edge.advertisedAddress`, the load balancer's (a Kubernetes Service's), the node's, the cloud's where `edge.advertisedFrom`
// asks for it, the bind address, the machine's first one. A source that is asked for and gives nothing ends the process with 78.
//
// What is found is written into `edge.advertisedAddress`, so that everything behind sees one setting. Kubernetes is not asked: what
// it knows comes in by environment or file.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { ConfigError } from '../errors.ts'
import { cloudAddress } from './cloud-metadata.ts'
import type { Config } from './schema.ts'

export type AddressSource = 'configured' | 'loadBalancer' | 'node' | 'metadata' | 'bind'

export interface FoundAddress {
  /** '' for that of the bind address. */
  readonly address: string
  readonly source: AddressSource
}

/** Where the address of listeners that have none of their own comes from. Rejects with a ConfigError. */
export async function findAdvertised({ edge }: Config): Promise<FoundAddress> {
  const { advertisedAddress, advertisedFrom: from } = edge
  if (advertisedAddress !== '') return { address: advertisedAddress, source: 'configured' }
  if (from === 'metadata') return fromMetadata(edge.metadataUrl)
  const balancer = from === 'auto' || from === 'loadBalancer' ? loadBalancerAddress(edge) : ''
  if (balancer !== '') return { address: balancer, source: 'loadBalancer' }
  if (from === 'loadBalancer')
    throw nothingFound('neither edge.loadBalancerAddress nor edge.loadBalancerAddressFile names an address')
  const node = from === 'bind' ? '' : edge.nodeAddress
  if (node !== '') return { address: node, source: 'node' }
  if (from === 'node') throw nothingFound('edge.nodeAddress (TANDEM_EDGE_NODE_ADDRESS) does not name an address')
  return { address: '', source: 'bind' }
}

/** The configuration with that address in its place. */
export async function withAdvertised(config: Config): Promise<Config> {
  const { address } = await findAdvertised(config)
  return address === '' ? config : { ...config, edge: { ...config.edge, advertisedAddress: address } }
}

async function fromMetadata(url: string): Promise<FoundAddress> {
  const address = await cloudAddress(url)
  if (address !== undefined) return { address, source: 'metadata' }
  throw nothingFound(`no cloud metadata at ${url} names a public address within a second`)
}

function loadBalancerAddress({ loadBalancerAddress: address, loadBalancerAddressFile: file }: Config['edge']): string {
  if (address !== '' || file === '') return address
  const found = addressIn(readFile(file))
  if (found !== undefined) return found
  throw issue('edge.loadBalancerAddressFile', file, 'expected an address, or the status of a Service that has one')
}

function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw issue(
      'edge.loadBalancerAddressFile',
      file,
      `expected a readable file (${(error as NodeJS.ErrnoException).code})`,
    )
  }
}

interface Ingress {
  readonly ip?: unknown
  readonly hostname?: unknown
}

/** What tools write where there is none. */
const NO_ADDRESS = /^(?:null|none|pending)$/i

/** A line with an address; or a Service as JSON, its status, or a part of that down to one entry of `ingress`. */
function addressIn(text: string): string | undefined {
  if (!/^[[{]/.test(text)) return /^[A-Za-z0-9.:-]+$/.test(text) && !NO_ADDRESS.test(text) ? text : undefined
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    return undefined
  }
  for (const key of ['status', 'loadBalancer', 'ingress', '0']) {
    const inner = (found as Record<string, unknown> | null)?.[key]
    if (inner !== undefined) found = inner
  }
  const { ip, hostname } = (found ?? {}) as Ingress
  if (typeof ip === 'string' && isIP(ip) !== 0) return ip
  return typeof hostname === 'string' && hostname !== '' ? hostname : undefined
}

function nothingFound(why: string): ConfigError {
  return issue('edge.advertisedFrom', 'asked for', `${why}: give it one, or set edge.advertisedAddress`)
}

function issue(path: string, origin: string, expected: string): ConfigError {
  return new ConfigError([{ path, origin, expected }])
}
