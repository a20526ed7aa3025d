// SPDX-License-Identifier: MIT
//
// All that stands between the rules against fraud and the world, as one part of the service: the way of events into the
// store and out of it, and what the rules ask besides.
import type { ResourceSet } from '@tandem/resources'
import type { RecordFeed } from '@tandem/rpc'
import type { Logger } from '@tandem/service-kit'
import type { FraudEventStore } from '@tandem/store'
import type { FraudPorts } from '../fraud/ports.ts'
import type { PolicyState } from '../state.ts'
import type { StoreHealth } from '../store-health.ts'
import { EventFeed } from './event-feed.ts'
import { EventOutbox, type OutboxCounts } from './event-outbox.ts'
import { createFraudPorts, warnWithoutGeoIp } from './fraud-ports.ts'
import { GeoIp } from './geo-ip.ts'

/** stop() brings what waits to the store, for that long at most. */
const STOP_MS = 1_000

/** Of a service without a store for events. */
export const NO_FEED: RecordFeed = {
  consume: () => ({ acknowledge: () => undefined, close: () => undefined }),
}

export interface FraudFeedOptions {
  readonly store: FraudEventStore
  /** '' for none. */
  readonly geoIpFile: string
  readonly counts: OutboxCounts
  readonly logger: Pick<Logger, 'info' | 'warn'>
  readonly health: Pick<StoreHealth, 'see'>
  /** The revision of this moment. */
  readonly state: () => Pick<PolicyState, 'index'>
  readonly onBug: (error: unknown) => void
}

export class FraudFeed {
  readonly ports: FraudPorts
  readonly outbox: EventOutbox
  /** What is kept of them. */
  readonly store: FraudEventStore
  readonly #events: EventFeed
  readonly #geoIp: GeoIp | undefined
  readonly #logger: Pick<Logger, 'warn'>

  constructor({ store, geoIpFile, counts, logger, health, state, onBug }: FraudFeedOptions) {
    this.#logger = logger
    this.store = store
    this.outbox = new EventOutbox(store, counts, logger, onBug)
    this.#events = new EventFeed(store, health, onBug)
    this.#geoIp = geoIpFile === '' ? undefined : new GeoIp(geoIpFile, logger)
    this.ports = createFraudPorts({ state, outbox: this.outbox, geoIp: this.#geoIp })
  }

  /** For the records service. */
  get events(): RecordFeed {
    return this.#events
  }

  /** Says what the rules of a revision lack. */
  look(set: Pick<ResourceSet, 'resources'>): void {
    warnWithoutGeoIp(set, this.#geoIp, this.#logger)
  }

  async start(): Promise<void> {
    await this.#geoIp?.start()
  }

  async stop(): Promise<void> {
    this.#events.stop()
    this.#geoIp?.stop()
    await this.outbox.stop(STOP_MS)
  }
}
