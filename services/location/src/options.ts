// SPDX-License-Identifier: MIT
//
// What the location service is built from and what it gives. Settings that people change come from the cluster's schema
// (service-kit); the rest are tuning values with their defaults here.
import type {
  Handlers,
  LocationChanges,
  LocationMethods,
  LocationUnaryMethods,
  location,
  PushHub,
  StreamHooks,
} from '@tandem/rpc'
import type { LocationConfig, Logger, Metrics } from '@tandem/service-kit'
import type { LocationStore } from '@tandem/store'
import type { LocationCounts } from './counts.ts'
import type { WatchBounds } from './reg-event/deps.ts'
import type { StaticContact } from './static-bindings.ts'

/** Bounds of a registration where policy names none for the domain. */
export type RegistrationBounds = Pick<
  LocationConfig,
  'minExpiresMs' | 'maxExpiresMs' | 'defaultExpiresMs' | 'maxContacts'
>

export interface LocationTuning {
  /** Retry-After of a 503 while the store is away. */
  readonly retryAfterS: number
  /** What is added to it at most, one second more with each refusal, then from the start. */
  readonly retrySpreadS: number
  /** How often the list of edges is read again: bounds how long the end of a lease stays unnoticed. */
  readonly membershipIntervalMs: number
  /** Age of the list above which an edge that it does not name is looked up again before its bindings are left out. */
  readonly unknownEdgeRefreshMs: number
  /** From the end of an edge's last stream here to the end of its lease, unless another node holds one. */
  readonly revokeAfterMs: number
  /** How often bindings that ran out are swept. */
  readonly sweepIntervalMs: number
  /** Longest lease that an edge may ask for. */
  readonly maxEdgeLeaseMs: number
  /** Longest lease of a directory entry. */
  readonly maxCallLeaseMs: number
}

export const LOCATION_TUNING: LocationTuning = {
  retryAfterS: 5,
  retrySpreadS: 5,
  membershipIntervalMs: 1_000,
  unknownEdgeRefreshMs: 100,
  revokeAfterMs: 300,
  sweepIntervalMs: 5_000,
  maxEdgeLeaseMs: 60_000,
  maxCallLeaseMs: 3_600_000,
}

export interface LocationServiceOptions {
  readonly store: LocationStore
  readonly config: RegistrationBounds & WatchBounds
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly metrics?: Metrics
  /** Registered addresses-of-record, of a store that knows at once; others are counted now and then. */
  readonly registeredNow?: (() => number) | undefined
  /** Contacts by configuration, by canonical address-of-record. */
  readonly staticContacts?: ReadonlyMap<string, readonly StaticContact[]>
  readonly tuning?: Partial<LocationTuning>
}

export interface LocationService {
  /** The items of the stream: for createInProcess and serveLocation. */
  readonly handlers: Handlers<LocationMethods>
  /** For people and tools; the locate is the same. */
  readonly unary: Handlers<LocationUnaryMethods>
  /** The list of edges is sent here whenever it changes. */
  readonly pushes: PushHub<location.Push>
  /** What changes anywhere in the cluster: for createInProcessLocationWatch and serveLocationWatch. */
  readonly changes: LocationChanges
  /** What the server reports about streams: a new one gets the list at once. */
  readonly hooks: StreamHooks
  readonly counts: Readonly<LocationCounts>
  /** Takes other contacts by configuration from now on; caches and watchers are told. */
  replaceStaticContacts(contacts: ReadonlyMap<string, readonly StaticContact[]>): void
  /** Whether the store answered last time. */
  ready(): boolean
  /** One look at everything that is due: bindings that ran out, NOTIFYs. What start() does on an interval. Never rejects. */
  sweep(): Promise<void>
  /** Starts the membership watch, the expiry sweep and the notifier. Does not wait for the store. */
  start(): Promise<void>
  stop(): Promise<void>
}
