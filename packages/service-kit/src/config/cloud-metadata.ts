// SPDX-License-Identifier: MIT
//
// The public address of this machine as its cloud knows it: the metadata service that answers on a link-local address. Each kind is
// asked at once, within a second in all; the first of the list that names an address counts.
// Leaves out IPv6, and machines with several public addresses: the first interface's counts.
import { isIPv4 } from 'node:net'

const TIMEOUT_MS = 1_000
/** A public address has fifteen characters at most. */
const MAX_CHARS = 64

interface Question {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
}

const QUESTIONS: readonly Question[] = [
  // Google Cloud
  {
    path: '/computeMetadata/v1/instance/network-interfaces/0/access-configs/0/external-ip',
    headers: { 'Metadata-Flavor': 'Google' },
  },
  // Azure
  {
    path: '/metadata/instance/network/interface/0/ipv4/ipAddress/0/publicIpAddress?api-version=2021-02-01&format=text',
    headers: { Metadata: 'true' },
  },
  // DigitalOcean
  { path: '/metadata/v1/interfaces/public/0/ipv4/address' },
  // Hetzner
  { path: '/hetzner/v1/metadata/public-ipv4' },
]

/** @param base of the service, e.g. http://169.254.169.254 */
export async function cloudAddress(base: string): Promise<string | undefined> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const found = await Promise.all([
    amazonAddress(base, signal),
    ...QUESTIONS.map(({ path, headers = {} }) => ask(base + path, { headers }, signal)),
  ])
  return found.find((text) => text !== undefined && isIPv4(text))
}

/** Amazon wants a token first. */
async function amazonAddress(base: string, signal: AbortSignal): Promise<string | undefined> {
  const lifetime = { 'X-aws-ec2-metadata-token-ttl-seconds': '60' }
  const token = await ask(`${base}/latest/api/token`, { method: 'PUT', headers: lifetime }, signal, 1_024)
  if (token === undefined) return undefined
  return ask(`${base}/latest/meta-data/public-ipv4`, { headers: { 'X-aws-ec2-metadata-token': token } }, signal)
}

async function ask(
  url: string,
  init: { method?: string; headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
  maxChars = MAX_CHARS,
): Promise<string | undefined> {
  try {
    const response = await fetch(url, { ...init, signal, redirect: 'error' })
    const text = response.ok ? (await response.text()).trim() : ''
    return text !== '' && text.length <= maxChars ? text : undefined
  } catch {
    return undefined // no such cloud, or no answer in time
  }
}
