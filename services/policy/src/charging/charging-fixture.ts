// SPDX-License-Identifier: MIT
//
// For tests of charging: a domain that asks nobody, callers with accounts of every kind, one node or more over one memory store, and a
// clock that moves the timers of all of them.
import type { policy } from '@tandem/rpc'
import type { AccountAudit, Stored } from '@tandem/store'
import { expect, vi } from 'vitest'
import type { PolicyService } from '../options.ts'
import { createWorld, decideOn, reportTo, request, type World } from '../policy-fixture.ts'

const document = (kind: string, metadata: object, spec: object) => ({ apiVersion: 'tandem/v1', kind, metadata, spec })

export const RATE = {
  prefix: '*',
  connectFeeMicros: 1_000,
  perMinuteMicros: 60_000,
  firstIncrementMs: 1_000,
  nextIncrementMs: 1_000,
}

/** What the tests pay: 1,000 to be connected, 1,000 a second. */
export const costOf = (talkMs: number): bigint =>
  talkMs === 0 ? 0n : 1_000n + 1_000n * BigInt(Math.ceil(talkMs / 1_000))

export const documentsWith = (accounts: Readonly<Record<string, object>>, rates: readonly object[] = [RATE]) => [
  document('Domain', { name: 'pay.test' }, { authentication: 'none' }),
  document('RatePlan', { name: 'retail' }, { currency: 'EUR', onNet: 'rated', rates }),
  document('Subscriber', { name: 'bob', domain: 'pay.test' }, {}),
  document('Subscriber', { name: 'carol', domain: 'pay.test' }, {}),
  ...Object.entries(accounts).flatMap(([name, spec]) => [
    document('Account', { name }, spec),
    document('Subscriber', { name, domain: 'pay.test' }, { account: name }),
  ]),
]

/** A trunk to which every number goes: what answers there has a URI of `GATEWAY`. */
export const GATEWAY = 'gw.test'
export const OUTSIDE = '+493012345'
export const OUTSIDE_URI = `sip:${OUTSIDE}@${GATEWAY}`

/** Whoever has one of these forwardings sends his calls to `OUTSIDE`, at the cost of the account. */
export const forwardingDocuments = (
  users: Readonly<Record<string, { readonly account?: string; readonly when: 'always' | 'busy' | 'never' }>>,
) => [
  document('Trunk', { name: 'gw' }, { hosts: [{ host: GATEWAY }] }),
  document('Route', { name: 'all' }, { prefix: '*', trunk: 'gw' }),
  ...Object.entries(users).map(([name, { account, when }]) =>
    document(
      'Subscriber',
      { name, domain: 'pay.test' },
      {
        ...(account !== undefined && { account }),
        ...(when !== 'never' && { forwarding: { [when]: { number: OUTSIDE } } }),
      },
    ),
  ),
]

export const PREPAID = { billing: 'prepaid', ratePlan: 'retail' }
export const POSTPAID = { billing: 'postpaid', ratePlan: 'retail' }

type NodeParts = NonNullable<Parameters<World['node']>[0]>

export interface Bench {
  readonly world: World
  readonly nodes: PolicyService[]
  /** A node more; `spoil` lets its stores fail. */
  add(parts?: NodeParts): PolicyService
  /** Every hang-up that any node pushed, with the time at which it did. */
  readonly hangUps: { readonly ref: string; readonly reason: string; readonly atMs: number }[]
  pass(ms: number): Promise<void>
  topUp(account: string, amount: bigint): Promise<void>
  audit(account: string): Promise<AccountAudit>
  stop(): Promise<void>
}

export async function createBench(
  accounts: Readonly<Record<string, object>>,
  rates?: readonly object[],
  more: readonly { [key: string]: unknown }[] = [],
): Promise<Bench> {
  vi.useFakeTimers()
  const world = await createWorld([...documentsWith(accounts, rates), ...more])
  const nodes: PolicyService[] = []
  const hangUps: { ref: string; reason: string; atMs: number }[] = []
  let keys = 0
  return {
    world,
    nodes,
    hangUps,
    add(parts = {}) {
      const node = world.node(parts)
      node.pushes.subscribe('edge-0.1', ({ event }) => {
        if (event?.$case !== 'hangUp') return
        hangUps.push({ ref: event.value.callRef, reason: event.value.reason, atMs: world.clock.ms })
      })
      nodes.push(node)
      void node.start()
      return node
    },
    async pass(ms) {
      for (let left = ms; left > 0; left -= 250) {
        const step = Math.min(250, left)
        world.clock.ms += step
        await vi.advanceTimersByTimeAsync(step)
      }
    },
    async topUp(account, amount) {
      const key = `key-${++keys}`
      await world.store.accounts.topUp({ account, key, amount, currency: 'EUR', cause: 'topup' })
    },
    async audit(account) {
      const audited: Stored<AccountAudit> = await world.store.accounts.audit(account)
      if (audited.state !== 'stored') throw new Error('no audit')
      expect(audited.value.ledgerSum).toBe(audited.value.balance)
      expect(audited.value.holdsSum).toBe(audited.value.held)
      return audited.value
    },
    async stop() {
      for (const node of nodes) await node.stop()
      vi.useRealTimers()
    },
  }
}

export interface Call {
  readonly ref: string
  readonly decision: policy.DecideResponse
  readonly description: policy.Call
}

export const inviteOf = (caller: string, parts: Partial<policy.DecideRequest> = {}) =>
  request({
    requestUri: 'sip:bob@pay.test',
    from: `<sip:${caller}@pay.test>;tag=a1`,
    to: '<sip:bob@pay.test>',
    ...parts,
  })

export async function begin(
  node: PolicyService,
  caller: string,
  parts: Partial<policy.DecideRequest> = {},
): Promise<Call> {
  const asked = inviteOf(caller, parts)
  const decision = await decideOn(node, asked)
  const description: policy.Call = {
    callId: asked.callId,
    fromTag: asked.fromTag,
    fromUri: `sip:${caller}@pay.test`,
    toUri: 'sip:bob@pay.test',
    requestUri: asked.requestUri,
    source: asked.source,
    identity: decision.identity,
    account: decision.account,
    edgeId: 'edge-0.1',
    userAgent: '',
    setupAgeMs: 0xffffffff,
    ringAgeMs: 0xffffffff,
    attempts: [],
    charge: decision.charge,
  }
  return { ref: decision.callRef, decision, description }
}

const PARTY = { target: 'sip:x@192.0.2.9', routes: [], cseq: 1, flow: undefined, aor: '' }
export const DIALOG: policy.Dialog = { toTag: 'b1', token: 't', caller: PARTY, callee: PARTY }

/** Somebody calls `user`. */
export const calling = (user: string) => ({ requestUri: `sip:${user}@pay.test`, to: `<sip:${user}@pay.test>` })

/** @returns the milliseconds that are granted; undefined for no limit */
export async function answer(
  node: PolicyService,
  { ref, description }: Call,
  ageMs = 0,
  target = 'sip:bob@192.0.2.7',
): Promise<number | undefined> {
  const value = { toTag: 'b1', status: 200, target, dialog: DIALOG }
  const report = { callRef: ref, call: description, event: { $case: 'answered' as const, value }, ageMs }
  const result = await reportTo(node, report)
  if (result.outcome !== 'done') throw new Error(`the answer was not taken: ${JSON.stringify(result)}`)
  return result.value.paidMs
}

export async function hangUp(node: PolicyService, { ref, description }: Call, ageMs = 0) {
  const value = { fromTag: 'a1', toTag: 'b1', by: 'caller', status: 200, reason: '' }
  return reportTo(node, { callRef: ref, call: description, event: { $case: 'ended', value }, ageMs })
}

export async function fail(node: PolicyService, { ref, description }: Call) {
  const value = { status: 487, cause: 'cancelled', reason: '' }
  return reportTo(node, { callRef: ref, call: description, event: { $case: 'failed', value }, ageMs: 0 })
}
