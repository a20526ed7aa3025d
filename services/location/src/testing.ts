// SPDX-License-Identifier: MIT
//
// For the tests of this service: a service on the embedded store with a clock that stands still, a store that can go
// away, and requests with their defaults filled in.
import { location, type Result } from '@tandem/rpc'
import { createMemoryStore, type LocationStore, type Stored } from '@tandem/store'
import type { LocationService, LocationTuning, RegistrationBounds } from './options.ts'
import type { WatchBounds } from './reg-event/deps.ts'
import { createLocationService } from './service.ts'
import type { StaticContact } from './static-bindings.ts'

export const AOR = 'sip:alice@example.test'

const WATCHES = { maxSubscriptions: 3, notifyIntervalMs: 5_000 }

export interface Bench {
  readonly service: LocationService
  readonly store: LocationStore
  readonly log: string[]
  /** Methods of the store, as they were asked. */
  readonly asked: string[]
  /** Wall clock of the store. */
  advance(ms: number): void
  /** What the store answers instead; undefined: itself. */
  fault: Stored<never> | undefined
  /** A method that the fault leaves alone. */
  spared: keyof LocationStore | undefined
}

export function createBench(
  options: Partial<RegistrationBounds & WatchBounds> = {},
  tuning: Partial<LocationTuning> = {},
  staticContacts: ReadonlyMap<string, readonly StaticContact[]> = new Map(),
): Bench {
  let now = 1_700_000_000_000
  const memory = createMemoryStore({ now: () => now }).location
  const log: string[] = []
  const note = (_fields: object, message: string) => void log.push(message)
  const asked: string[] = []
  const bench: Omit<Bench, 'service'> = {
    store: withFaults(memory, asked, (name) => (name === bench.spared ? undefined : bench.fault)),
    log,
    asked,
    advance: (ms) => {
      now += ms
    },
    fault: undefined,
    spared: undefined,
  }
  const service = createLocationService({
    store: bench.store,
    config: {
      minExpiresMs: 60_000,
      maxExpiresMs: 7_200_000,
      defaultExpiresMs: 3_600_000,
      maxContacts: 3,
      ...WATCHES,
      ...options,
    },
    logger: { info: note, warn: note, error: note } as never,
    tuning,
    staticContacts,
  })
  return Object.assign(bench, { service })
}

function withFaults(
  store: LocationStore,
  asked: string[],
  fault: (name: string) => Stored<never> | undefined,
): LocationStore {
  return new Proxy(store, {
    get(target, property) {
      const method = Reflect.get(target, property) as (...args: unknown[]) => unknown
      return (...args: unknown[]) => {
        asked.push(String(property))
        return fault(String(property)) ?? method.apply(target, args)
      }
    },
  })
}

type RegisterParts = Parameters<typeof location.RegisterRequest.fromPartial>[0]

/** A REGISTER of alice, Call-ID `call-1`, CSeq 1. */
export function register(
  bench: Bench,
  more: RegisterParts = {},
): Result<location.RegisterResponse> | Promise<Result<location.RegisterResponse>> {
  const request = location.RegisterRequest.fromPartial({ aor: AOR, callId: 'call-1', cseq: 1, ...more })
  return bench.service.handlers.register(request, { msLeft: 1_000, peer: 'edge-0.a' })
}

export async function locate(bench: Bench, aor = AOR): Promise<string[]> {
  const result = await bench.service.handlers.locate({ aor }, { msLeft: 1_000, peer: 'edge-0.a' })
  if (result.outcome !== 'done') throw new Error(`locate: ${result.outcome}`)
  return result.value.bindings.map((binding) => binding.uri)
}

export function edge(name: string, incarnation = 'a', more: Partial<location.Edge> = {}): location.Edge {
  const base = { id: `${name}.${incarnation}`, name, incarnation, internalAddress: '127.0.0.1', internalPort: 5150 }
  return location.Edge.fromPartial({ ...base, ...more })
}

export async function lease(bench: Bench, member: location.Edge, leaseMs = 5_000) {
  return bench.service.handlers.leaseEdge({ edge: member, leaseMs }, { msLeft: 1_000, peer: member.id })
}
