// SPDX-License-Identifier: MIT
// What the contract suite needs of a store under test, and how time passes for it: a fake clock for memory, waiting for
// Redis. Names are unique per world, so that one server serves many runs.

import { expect } from 'vitest'
import type { Eventual, Stored } from '../result.ts'
import { createReference } from '../shard.ts'
import type { Store, StoreSettings } from '../store.ts'
import { AGE_UNKNOWN, type Binding, type BindingUpdate, type CallDescription, type ContactUpdate } from '../types.ts'

export interface StoreUnderTest {
  store: Store
  /** Lets store time pass. */
  advance(ms: number): Promise<void>
  close(): Promise<void>
}

export type MakeStore = (settings: Partial<StoreSettings>) => Promise<StoreUnderTest>

/** Short enough to be waited for, long enough for a slow machine. */
export const CONTRACT_SETTINGS = {
  partialGraceMs: 300,
  maxCallMs: 1_500,
  finishedKeepMs: 60_000,
  tombstoneMs: 32_000,
  changesMaxLen: 200,
  recordsMaxLen: 1_000,
  fraudEventsMaxLen: 200,
  redeliverMs: 1_000,
  edgeKeepMs: 700,
  edgeSettleMs: 100,
  nodeSilentMs: 600,
  edgeFreezeMs: 1_000,
  ledgerMaxLen: 16,
  settledKeepMs: 60_000,
  settlingKeepMs: 120_000,
  topUpKeepMs: 60_000,
} as const satisfies Partial<StoreSettings>

export class World {
  readonly store: Store
  readonly #under: StoreUnderTest
  readonly #run = createReference().slice(2, 12)
  #names = 0

  constructor(under: StoreUnderTest) {
    this.#under = under
    this.store = under.store
  }

  advance(ms: number): Promise<void> {
    return this.#under.advance(ms)
  }

  close(): Promise<void> {
    return this.#under.close()
  }

  name(kind: string): string {
    return `${kind}-${this.#run}-${++this.#names}`
  }

  /** Lets time pass in small steps until it is so. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    for (let step = 0; step < 300; step++) {
      if (await isSo()) return
      await this.advance(40)
    }
    throw new Error('it did not come to be')
  }
}

/** The value, or a failed test that says how the operation ended. */
export async function value<T>(result: Eventual<T>): Promise<T> {
  const ended: Stored<T> = await result
  if (ended.state !== 'stored') throw new Error(`${ended.state}: ${ended.detail}`)
  expect(ended.state).toBe('stored')
  return ended.value
}

export function contact(uri: string, changes: Partial<ContactUpdate> = {}): ContactUpdate {
  const flow = { transport: 'udp', address: '192.0.2.1', port: 5060, edgeId: '', flowId: 0 }
  const base = { uriKey: uri, uri, expiresS: 60, qMilli: 1000, instanceId: '', regId: 0, flow, path: [], params: '' }
  return { ...base, ...changes }
}

export function update(aor: string, cseq: number, contacts: ContactUpdate[], changes: Partial<BindingUpdate> = {}) {
  const base = { aor, callId: 'call-1', cseq, removeAll: false, contacts, alsoRemove: [], userAgent: 'phone/1' }
  return { ...base, maxContacts: 10, replaceOldest: false, registrationHash: cseq, ...changes } satisfies BindingUpdate
}

export function urisOf(bindings: readonly Binding[]): string[] {
  return bindings.map((binding) => binding.uri)
}

export function description(callId: string, changes: Partial<CallDescription> = {}): CallDescription {
  return {
    callId,
    fromTag: 'caller',
    fromUri: 'sip:alice@example.test',
    toUri: 'sip:bob@example.test',
    requestUri: 'sip:bob@example.test',
    source: { transport: 'udp', address: '192.0.2.1', port: 5060 },
    identity: 'alice@example.test',
    account: 'demo',
    edgeId: 'edge0.1',
    userAgent: 'phone/1',
    setupAgeMs: 100,
    ringAgeMs: AGE_UNKNOWN,
    attempts: [{ target: 'sip:bob@192.0.2.2', status: 200, provisionalStatus: 180 }],
    ...changes,
  }
}

/** What an edge that only passes a BYE knows. */
export function passing(callId: string, edgeId = 'edge1.1'): CallDescription {
  const unknown = { fromUri: '', toUri: '', requestUri: '', identity: '', account: '', userAgent: '' }
  return description(callId, { ...unknown, edgeId, source: undefined, setupAgeMs: AGE_UNKNOWN, attempts: [] })
}
