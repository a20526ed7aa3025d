// SPDX-License-Identifier: MIT
//
// Who a request is from, as far as an edge can tell without asking: an emergency; a phone that was challenged and comes back (its
// credentials are over a nonce of the cluster that is fresh); a caller whose address is known; a newcomer. Looked at under overload
// only. A fresh nonce proves that somebody was challenged lately, not that he knows a password: he goes first, and policy judges.
import { type BlockList, isIPv6 } from 'node:net'
import {
  findHeader,
  findHeaderByName,
  HEADER,
  headerValue,
  METHOD,
  type NonceKey,
  nonceKeys,
  parseAuth,
  readNonce,
  type SipMessage,
  URI_SCHEME,
} from '@tandem/sip'
import type { EdgePeer } from '../listeners/peers.ts'

export interface ClassSettings {
  readonly keyRing: readonly { readonly id: number; readonly secret: string }[]
  readonly nonceLifetimeMs: number
  readonly emergencyNumbers: readonly string[]
  /** Whose Resource-Priority is believed. */
  readonly trustedSources: BlockList
  readonly hasTrustedSources: boolean
  /** Namespaces of Resource-Priority, in lower case. */
  readonly resourcePriorities: readonly string[]
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
}

/** How far ahead of this edge's clock another node may have dated a nonce. */
const CLOCK_SKEW_MS = 60_000
/** RFC 5031. */
const SOS = 'urn:service:sos'
/** Header lines that are looked at. */
const MAX_CREDENTIALS = 4

const NO_NUMBERS: ReadonlySet<string> = new Set()
const MAX_TOLD_NUMBER = 32

export class RequestClasses {
  readonly #settings: ClassSettings
  #keys: readonly NonceKey[]
  readonly #numbers: ReadonlySet<string>
  readonly #longestNumber: number
  /** Numbers that are emergencies too: as policy told them, of some domain. */
  told: ReadonlySet<string> = NO_NUMBERS

  constructor(settings: ClassSettings) {
    this.#settings = settings
    this.#keys = nonceKeys(settings.keyRing)
    this.#numbers = new Set(settings.emergencyNumbers)
    this.#longestNumber = settings.emergencyNumbers.reduce((longest, { length }) => Math.max(longest, length), 0)
  }

  /** Other nonces are known from now on. */
  useKeyRing(ring: ClassSettings['keyRing']): void {
    this.#keys = nonceKeys(ring)
  }

  /** To the emergency services, or of a priority (RFC 4412) that a trusted source gives it. */
  isEmergency(msg: SipMessage, peer: EdgePeer): boolean {
    if (msg.method !== METHOD.REGISTER && (this.callsForHelp(msg) || this.#isTold(msg))) return true
    return this.#settings.hasTrustedSources && this.#hasPriority(msg, peer)
  }

  /** By its Request-URI. */
  callsForHelp(msg: SipMessage): boolean {
    const { uriStart, uriEnd, uriUserStart, uriUserEnd } = msg
    if (msg.uriScheme === URI_SCHEME.OTHER) {
      const uri = msg.text(uriStart, Math.min(uriEnd, uriStart + SOS.length + 1)).toLowerCase()
      return uri === SOS || uri === `${SOS}.` // and its sub-services
    }
    if (uriUserStart < 0 || uriUserEnd - uriUserStart > this.#longestNumber) return false
    return this.#numbers.has(msg.text(uriUserStart, uriUserEnd))
  }

  #isTold({ buf, uriUserStart, uriUserEnd }: SipMessage): boolean {
    const isNumber = this.told.size > 0 && uriUserStart >= 0 && uriUserEnd - uriUserStart <= MAX_TOLD_NUMBER
    return isNumber && this.told.has(buf.latin1Slice(uriUserStart, uriUserEnd))
  }

  #hasPriority(msg: SipMessage, peer: EdgePeer): boolean {
    const { trustedSources, resourcePriorities } = this.#settings
    const index = findHeaderByName(msg, 'Resource-Priority')
    if (index < 0 || !trustedSources.check(peer.address, isIPv6(peer.address) ? 'ipv6' : 'ipv4')) return false
    return headerValue(msg, index)
      .split(',')
      .some((value) => resourcePriorities.includes(value.split('.')[0]?.trim().toLowerCase() ?? ''))
  }

  /** Whether it has credentials over a nonce of this cluster that is fresh. */
  hasFreshNonce(msg: SipMessage): boolean {
    const id = msg.method === METHOD.REGISTER ? HEADER.AUTHORIZATION : HEADER.PROXY_AUTHORIZATION
    if (!msg.has(id)) return false
    let left = MAX_CREDENTIALS
    for (let k = findHeader(msg, id); k >= 0 && left > 0; k = findHeader(msg, id, k + 1)) {
      if (this.#isFresh(headerValue(msg, k))) return true
      left -= 1
    }
    return false
  }

  #isFresh(credentials: string): boolean {
    const params = parseAuth(credentials)?.params
    const known = readNonce(this.#keys, params?.get('nonce') ?? '', params?.get('realm') ?? '')
    if (known === undefined) return false
    const ageMs = this.#settings.wallClock() - known.madeMs
    return ageMs <= this.#settings.nonceLifetimeMs && ageMs >= -CLOCK_SKEW_MS
  }
}
