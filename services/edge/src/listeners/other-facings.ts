// SPDX-License-Identifier: MIT
//
// What other edges show to the far side of their flows: for Record-Routes of requests that go through them.

import type { location } from '@tandem/rpc'
import type { TransportName } from '@tandem/transport'
import { edgeHashOf } from '../membership/edge-hash.ts'
import { Facing } from './facing.ts'

/** Kept at once; beyond it all are made anew. */
const MAX_FACINGS = 1024

export class OtherFacings {
  private readonly namesTls: boolean
  private readonly known = new Map<string, Facing>()

  constructor(namesTls: boolean) {
    this.namesTls = namesTls
  }

  /** Undefined where that edge has no such listener. */
  of(edge: location.Edge, transport: string): Facing | undefined {
    const name = edge.listeners.find((listener) => listener.startsWith(`${transport}:`))
    if (name === undefined) return undefined
    const known = this.known.get(name)
    if (known !== undefined) return known
    const colon = name.lastIndexOf(':')
    const host = name.slice(transport.length + 1, colon).replace(/^\[|\]$/g, '')
    const place = { transport: transport as TransportName, host, port: Number(name.slice(colon + 1)) }
    const facing = new Facing({
      ...place,
      edgeHash: edgeHashOf(edge.id),
      internal: false,
      namesTls: this.namesTls,
    })
    if (this.known.size >= MAX_FACINGS) this.known.clear()
    this.known.set(name, facing)
    return facing
  }
}
