// SPDX-License-Identifier: MIT
//
// One listener as the world sees it: the Via and Record-Route texts that it puts on the wire, made once.
// Per listener, the Via sent-by, the Record-Route host and the source address of packets are one advertised address.

import type { SipMessage } from '@tandem/sip'
import type { TransportName } from '@tandem/transport'
import type { Tap } from '../capture/tap.ts'

export interface FacingPlace {
  readonly transport: TransportName
  /** Advertised host, IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** Hash of the owner edge's id: the Via parameter `te` (never an address). */
  readonly edgeHash: number
  /** The listener between edges. */
  readonly internal: boolean
  /** Over TLS plain requests are recorded with sip and transport=tls, against RFC 5658 §6.2, for phones that know no sips. */
  readonly namesTls?: boolean
}

const DEFAULT_PORT = 5060
/** The bit that a capital lacks. */
const LOWER_CASE = 0x20

export class Facing {
  readonly transport: TransportName
  readonly host: string
  readonly port: number
  readonly internal: boolean
  /** "udp:192.0.2.1:5060" */
  readonly name: string
  /** What a sips Record-Route names in the place of this one: a listener with TLS, itself where it has TLS or there is none. */
  secure: Facing = this
  /** Sees what comes in and goes out here; undefined for nobody. */
  tap: Tap | undefined = undefined
  private readonly sentByHost: Buffer
  private readonly viaHead: string
  private readonly viaTail: string
  private readonly routeTail: string
  private readonly isTls: boolean
  /** With transport=tls; '' where that is not to be written. */
  private readonly tlsRouteTail: string

  constructor(place: FacingPlace) {
    const host = place.host.includes(':') ? `[${place.host}]` : place.host
    this.transport = place.transport
    this.host = place.host
    this.port = place.port
    this.internal = place.internal
    this.name = `${place.transport}:${host}:${place.port}`
    this.sentByHost = Buffer.from(host.toLowerCase(), 'latin1')
    this.viaHead = `Via: SIP/2.0/${place.transport.toUpperCase()} ${host}:${place.port};branch=`
    this.viaTail = `;te=${place.edgeHash.toString(36)}\r\n`
    this.isTls = place.transport === 'tls' || place.transport === 'wss'
    this.tlsRouteTail =
      place.namesTls === true && place.transport === 'tls' ? `@${host}:${place.port};transport=tls;lr>` : ''
    this.routeTail = `@${host}:${place.port}${transportParam(place.transport)};lr>`
  }

  /** `Via: …\r\n` */
  via(branch: string): string {
    return this.viaHead + branch + this.viaTail
  }

  /** The same as another edge wrote it. */
  viaOf(branch: string, edgeHash: number): string {
    return `${this.viaHead}${branch};te=${edgeHash.toString(36)}\r\n`
  }

  /** Length of that line without the branch. */
  get viaBytes(): number {
    return this.viaHead.length + this.viaTail.length
  }

  /** [RFC3261-18.1.2a] Whether the topmost Via of a response is one that this listener wrote. Looks at bytes: it is asked for each. */
  isSentBy(msg: SipMessage): boolean {
    const { buf, viaHostStart, viaHostEnd, viaPort } = msg
    if ((viaPort < 0 ? DEFAULT_PORT : viaPort) !== this.port) return false
    if (viaHostEnd - viaHostStart !== this.sentByHost.length) return false
    for (let k = viaHostStart; k < viaHostEnd; k += 1) {
      if (((buf[k] as number) | LOWER_CASE) !== ((this.sentByHost[k - viaHostStart] as number) | LOWER_CASE))
        return false
    }
    return true
  }

  /** `<sip:token@host:port;lr>`. @param isSecure sips [RFC3261-16.6.4]; over TLS it is sips anyhow [RFC5658-6.2b].
   * DEVIATION[RFC3261-16.6.4i]: so too toward a TLS hop with a sip target, which nothing but sips leads back to over TLS. */
  route(token: string, isSecure = false): string {
    if (!isSecure && this.tlsRouteTail !== '') return `<sip:${token}${this.tlsRouteTail}` // DEVIATION[RFC5658-6.2]: as set
    return isSecure || this.isTls ? `<sips:${token}${this.routeTail}` : `<sip:${token}${this.routeTail}`
  }
}

/** [RFC3261-16.6.4g] Of the listeners of one edge: those without TLS know which one a sips URI of ours is to name. */
export function pairWithSecure(facings: readonly Facing[]): void {
  const of = (transport: TransportName): Facing | undefined => facings.find((facing) => facing.transport === transport)
  const [tls, wss] = [of('tls'), of('wss')]
  for (const facing of facings) {
    if (facing === tls || facing === wss) continue
    // Who speaks WebSocket speaks nothing else.
    facing.secure = (facing.transport === 'ws' ? (wss ?? tls) : (tls ?? wss)) ?? facing
  }
}

/** [RFC3261-19.1.1] UDP goes without saying for sip, TLS for sips, which never says tls; a secure WebSocket is the ws of sips. */
function transportParam(transport: TransportName): string {
  if (transport === 'udp' || transport === 'tls') return ''
  return `;transport=${transport === 'wss' ? 'ws' : transport}`
}
