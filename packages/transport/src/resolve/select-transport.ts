// SPDX-License-Identifier: MIT
// Which transport a URI asks for (RFC 3263 §4.1), and the names under which DNS knows the transports.
import type { TransportName } from '../types.ts'
import type { NaptrRecord } from './resolver.ts'

const PLAIN: Readonly<Record<string, TransportName>> = {
  udp: 'udp',
  tcp: 'tcp',
  sctp: 'sctp',
  tls: 'tls',
  ws: 'ws',
  wss: 'wss',
}
/** Without sctp and tls-sctp: TLS over SCTP (RFC 4168, RFC 3436) is left out. */
const SECURE: Readonly<Record<string, TransportName>> = { tcp: 'tls', tls: 'tls', ws: 'wss', wss: 'wss' }

/** A record of another service is passed over, SIPS+D2S among them [RFC4168-6]. */
const SERVICES: Readonly<Record<string, TransportName>> = {
  'SIP+D2U': 'udp',
  'SIP+D2T': 'tcp',
  'SIP+D2S': 'sctp',
  'SIPS+D2T': 'tls',
  'SIP+D2W': 'ws',
  'SIPS+D2W': 'wss',
}

const SRV_PREFIX: Readonly<Record<TransportName, string>> = {
  udp: '_sip._udp.',
  tcp: '_sip._tcp.',
  sctp: '_sip._sctp.',
  tls: '_sips._tcp.',
  ws: '_sip._ws.',
  wss: '_sips._ws.',
}

/** The transport of a transport parameter; undefined for one that a sips URI can't have (udp, sctp) or that is unknown (tls-sctp). */
export function transportOfParam(param: string, isSecure: boolean): TransportName | undefined {
  const known = isSecure ? SECURE : PLAIN
  const name = param.toLowerCase()
  return Object.hasOwn(known, name) ? known[name] : undefined
}

/** [RFC3263-4.1] without parameter and where DNS does not say: UDP, for sips TCP with TLS. */
export function defaultTransport(isSecure: boolean): TransportName {
  return isSecure ? 'tls' : 'udp'
}

export function isSecureTransport(transport: TransportName): boolean {
  return transport === 'tls' || transport === 'wss'
}

export function srvName(transport: TransportName, domain: string): string {
  return SRV_PREFIX[transport] + domain
}

export interface NaptrChoice {
  readonly transport: TransportName
  readonly srvName: string
}

/** [RFC3263-4.1] the usable ones, by order, then preference. A sips URI takes SIPS services only. */
export function choicesOfNaptr(
  records: readonly NaptrRecord[],
  transports: readonly TransportName[],
  isSecure: boolean,
): NaptrChoice[] {
  const sorted = [...records].sort((a, b) => a.order - b.order || a.preference - b.preference)
  const choices: NaptrChoice[] = []
  for (const record of sorted) {
    const transport = SERVICES[record.service.toUpperCase()]
    if (transport === undefined || !transports.includes(transport) || record.flags.toLowerCase() !== 's') continue
    if (isSecure && !isSecureTransport(transport)) continue
    if (record.replacement !== '') choices.push({ transport, srvName: record.replacement.toLowerCase() })
  }
  return choices
}
