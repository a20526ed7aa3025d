// SPDX-License-Identifier: MIT
//
// What people ask an edge about messages, by way of policy (proto/tandem/policy/v1, CaptureCommand): those of a call, and filters. Each command is answered to
// the policy node that it came from, once; nobody asks again.

import type { PolicyMethods, PushReply, policy } from '@tandem/rpc'
import type { EdgeCore } from '../core.ts'
import type { Facing } from '../listeners/facing.ts'
import type { Listeners } from '../listeners/listeners.ts'
import type { FilterTarget } from './filters.ts'
import { hasCallId } from './message-marks.ts'
import type { KeptMessage } from './message-ring.ts'
import { redact } from './redact.ts'
import { EdgeTap } from './tap.ts'

/** Of one answer; a message between services holds 3 MiB. */
const MOST = { maxMessages: 1_000, maxBytes: 768 * 1024 } as const
const MAX_FILTER_MS = 86_400_000
const TARGETS: readonly FilterTarget[] = ['log', 'hep']

/** Puts a tap on the listeners of an edge, and takes commands. */
export function tapInto(core: EdgeCore, listeners: Listeners): EdgeTap {
  const facings = [...listeners.facings(), listeners.internalFacing]
  const tap = new EdgeTap(core.config, core.config.id, facings, core.logger)
  const use = (): void => {
    for (const facing of facings) facing.tap = tap.isIdle ? undefined : tap
  }
  use()
  core.policy.onPush(({ event }, reply) => {
    if (event?.$case !== 'capture') return
    void answer(tap, core, event.value, reply).then(use)
  })
  return tap
}

async function answer(
  tap: EdgeTap,
  core: EdgeCore,
  { commandId, wish }: policy.CaptureCommand,
  reply: PushReply<PolicyMethods>,
): Promise<void> {
  const found = wish?.$case === 'find' ? await find(tap, wish.value.callId) : undefined
  if (wish?.$case === 'setFilter') setFilter(tap, wish.value)
  if (wish?.$case === 'clearFilters') tap.filters.clear()
  const value: policy.CapturedRequest = {
    commandId,
    edge: core.config.id,
    keeps: tap.ring !== undefined,
    oldestMs: BigInt(Math.round(tap.ring?.oldestMs ?? 0)),
    messages: found?.messages ?? [],
    isCut: found?.isCut === true,
    filters: tap.filters.list().map(({ targets, ...filter }) => ({ ...filter, targets: [...targets] })),
  }
  reply('captured', value, core.config.rpc.timeoutMs)
}

async function find(tap: EdgeTap, callId: string): Promise<{ messages: policy.CapturedMessage[]; isCut: boolean }> {
  if (tap.ring === undefined || callId === '') return { messages: [], isCut: false }
  const matches = (buf: Buffer, start: number, end: number): boolean => hasCallId(buf, start, end, callId)
  const { messages, isCut } = await tap.ring.find({ ...MOST, matches })
  return { messages: messages.map((message) => toWire(message, tap.facingOf(message.listener))), isCut }
}

function toWire(
  { atMs, isSent, address, port, bytes }: KeptMessage,
  facing: Facing | undefined,
): policy.CapturedMessage {
  return {
    atMs,
    isSent,
    transport: facing?.transport ?? 'udp',
    isInternal: facing?.internal === true,
    address: facing?.host ?? '',
    port: facing?.port ?? 0,
    farAddress: address,
    farPort: port,
    bytes: redact(bytes),
  }
}

function setFilter(tap: EdgeTap, { callId, source, user, targets, forMs }: policy.MessageFilter): void {
  const known = TARGETS.filter((target) => targets.includes(target))
  tap.filters.set({ callId, source, user, targets: known, forMs: Math.min(forMs, MAX_FILTER_MS) })
}
