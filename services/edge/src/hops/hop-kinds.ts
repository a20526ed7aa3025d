// SPDX-License-Identifier: MIT
//
// What a next hop is, and its kinds: an endpoint with those behind it as alternatives (RFC 3263 section 4.3), the same host over
// TCP in place of UDP, a strict router. Hops are read through their interface only: some of their parts are made when asked for.

import type { location } from '@tandem/rpc'
import type { RingKey, TokenSide } from '@tandem/sip'
import type { Endpoint, TransportName } from '@tandem/transport'
import type { Facing } from '../listeners/facing.ts'
import type { EdgePeer } from '../listeners/peers.ts'

export interface NextHop {
  readonly peer: EdgePeer
  /** Request-URI of the branch, '' keeps the one that came. */
  readonly uri: string
  /** The listener that the far side sees: another edge's where that one holds the flow. */
  readonly facing: Facing
  /** `Route: …\r\n` for the hop between edges, or ''. */
  readonly route: string
  /** How in-dialog requests come back to the far side. */
  readonly side: TokenSide
  /** For the directory. */
  readonly flow: location.Flow
  /**
   * Where else to go when this hop fails (RFC 3263 section 4.3): the further endpoints of the same host, best first; each has
   * those behind it as its own. Empty for a flow. A connection is opened only once a hop's peer is asked for.
   */
  readonly alternatives: readonly NextHop[]
  /** The next Route value, by which this hop was found, has no lr: a strict router (RFC 3261 section 16.6 step 6). */
  readonly strict: boolean
}

export const NO_HOPS: readonly NextHop[] = []

/** Makes hops of the endpoints behind the first. */
export interface LaterHops {
  laterHop(endpoint: Endpoint, uri: string, rest: Rest | undefined): NextHop
}

/** Endpoints of one host from a position on. */
export class Rest {
  private readonly hops: LaterHops
  private readonly endpoints: readonly Endpoint[]
  private readonly from: number
  private readonly uri: string

  constructor(hops: LaterHops, endpoints: readonly Endpoint[], from: number, uri: string) {
    this.hops = hops
    this.endpoints = endpoints
    this.from = from
    this.uri = uri
  }

  alternatives(): readonly NextHop[] {
    return this.endpoints.slice(this.from).map((endpoint, k) => {
      const next = this.from + k + 1
      const rest = next < this.endpoints.length ? new Rest(this.hops, this.endpoints, next, this.uri) : undefined
      return new LaterHop(() => this.hops.laterHop(endpoint, this.uri, rest), rest)
    })
  }
}

/** A hop to one endpoint. */
export class EndpointHop implements NextHop {
  readonly peer: EdgePeer
  readonly uri: string
  readonly facing: Facing
  readonly route = ''
  readonly side: TokenSide
  readonly flow: location.Flow
  readonly strict = false
  /** What branches.ts has made of it, and by which key: a hop that is kept is used for call after call. */
  targetKey: RingKey | undefined = undefined
  targetHash = 0
  private readonly rest: Rest | undefined
  private made: readonly NextHop[] | undefined

  constructor(peer: EdgePeer, uri: string, side: TokenSide, flow: location.Flow, rest: Rest | undefined) {
    this.peer = peer
    this.uri = uri
    this.facing = peer.facing
    this.side = side
    this.flow = flow
    this.rest = rest
    this.made = undefined
  }

  get alternatives(): readonly NextHop[] {
    if (this.rest === undefined) return NO_HOPS
    this.made ??= this.rest.alternatives()
    return this.made
  }
}

/** Another hop with a few things changed. */
abstract class DerivedHop implements NextHop {
  abstract readonly base: NextHop

  get peer(): EdgePeer {
    return this.base.peer
  }

  get uri(): string {
    return this.base.uri
  }

  get facing(): Facing {
    return this.base.facing
  }

  get route(): string {
    return this.base.route
  }

  get side(): TokenSide {
    return this.base.side
  }

  get flow(): location.Flow {
    return this.base.flow
  }

  get alternatives(): readonly NextHop[] {
    return this.base.alternatives
  }

  get strict(): boolean {
    return this.base.strict
  }
}

/** An endpoint that is not needed yet. */
class LaterHop extends DerivedHop {
  private readonly make: () => NextHop
  /** What branches.ts has made of it, and by which key: a hop that is kept is used for call after call. */
  targetKey: RingKey | undefined = undefined
  targetHash = 0
  private readonly rest: Rest | undefined
  private made: NextHop | undefined

  constructor(make: () => NextHop, rest: Rest | undefined) {
    super()
    this.make = make
    this.rest = rest
  }

  get base(): NextHop {
    this.made ??= this.make()
    return this.made
  }

  override get alternatives(): readonly NextHop[] {
    return this.rest === undefined ? NO_HOPS : this.base.alternatives
  }
}

/** [RFC3327-5.4] The first proxy of a Path, with the others in a Route behind the one that the hop itself needs. */
export class PathHop extends DerivedHop {
  readonly base: NextHop
  private readonly requestUri: string
  private readonly pathRoute: string

  constructor(base: NextHop, requestUri: string, pathRoute: string) {
    super()
    this.base = base
    this.requestUri = requestUri
    this.pathRoute = pathRoute
  }

  override get uri(): string {
    return this.requestUri
  }

  override get route(): string {
    return this.base.route + this.pathRoute
  }

  override get alternatives(): readonly NextHop[] {
    return this.base.alternatives.map((hop) => new PathHop(hop, this.requestUri, this.pathRoute))
  }
}

/**
 * [RFC3261-18.1.1] TCP in place of UDP; UDP comes next, for hosts that have no TCP. Later requests of the dialog go by their
 * own size, so what the far side learns of us stays what it was.
 */
export class ShiftedHop extends DerivedHop {
  readonly base: NextHop
  private readonly datagram: NextHop

  constructor(stream: NextHop, datagram: NextHop) {
    super()
    this.base = stream
    this.datagram = datagram
  }

  override get uri(): string {
    return this.datagram.uri
  }

  override get route(): string {
    return this.datagram.route
  }

  override get facing(): Facing {
    return this.datagram.facing
  }

  override get side(): TokenSide {
    return this.datagram.side
  }

  override get strict(): boolean {
    return this.datagram.strict
  }

  override get alternatives(): readonly NextHop[] {
    return [this.datagram, ...this.datagram.alternatives]
  }
}

/** The next Route value, by which the hop was found, has no lr. */
export class StrictHop extends DerivedHop {
  readonly base: NextHop

  constructor(base: NextHop) {
    super()
    this.base = base
  }

  override get strict(): boolean {
    return true
  }

  override get alternatives(): readonly NextHop[] {
    return this.base.alternatives.map((hop) => new StrictHop(hop))
  }
}

/** Nobody can be reached there: what is sent fails, and the next endpoint is tried. */
export class LostPeer implements EdgePeer {
  readonly reliable = true
  readonly transport: TransportName
  readonly address: string
  readonly port: number
  readonly facing: Facing

  constructor(endpoint: Endpoint, facing: Facing) {
    this.transport = endpoint.transport
    this.address = endpoint.address
    this.port = endpoint.port
    this.facing = facing
  }

  send(): boolean {
    return false
  }
}
