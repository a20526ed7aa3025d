// SPDX-License-Identifier: MIT
//
// What is due at calls and needs an edge: hang-ups, warnings, probes. It stands in the call's record, so any node does it; the store gives
// each piece to one asker at a time. A hang-up is pushed to one edge; one that does not acknowledge it within COMMAND_ACK_MS, says that it
// can't, or is gone before the call has ended, is passed over: the next attempt goes to the next edge, until the end is on record.
//
// Two clocks: due work walks over all shards (due-work.ts), which finds everything in the end; `schedule` has what this node knows of
// done in time, to a quarter of a second. It is bounded; what is not in it is found by the walk.
// Races: an acknowledgement may come to another node, so it is written into the record, and this one asks there before it tries again.
// An edge that was passed over may have acted: the second BYE gets 481, and the call ends once on record.
import type { policy } from '@tandem/rpc'
import type { CallWork, Dialog } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { statusOf } from './hang-up.ts'

/** An edge has this long to acknowledge a command. */
const COMMAND_ACK_MS = 1_500
/** Longer than a BYE can wait for its answer (Timer F). */
export const TAKEN_MS = 40_000
/** Both parties refuse the BYE, or no edge has a way to either. */
export const REFUSED_MS = 5_000
/** Without any edge nobody can be told. */
const NO_EDGE_MS = 5_000
/** Attempts after which the record ends without an edge. */
const MAX_ATTEMPTS = 8
const TICK_MS = 250
const MAX_SCHEDULED = 200_000
const MAX_UNDER_WAY = 10_000

interface UnderWay {
  readonly peer: string
  readonly untilMs: number
}

export class CallWorker {
  readonly #context: PolicyContext
  readonly #onBug: (error: unknown) => void
  readonly #now: () => number
  /** References by the tick in which they are to be looked at. */
  readonly #ticks = new Map<number, string[]>()
  #scheduled = 0
  #nextTick: number
  /** Hang-ups that an edge was told of by this node. */
  readonly #underWay = new Map<string, UnderWay>()
  #timer: NodeJS.Timeout | undefined

  /** @param now monotonic milliseconds */
  constructor(context: PolicyContext, onBug: (error: unknown) => void, now: () => number) {
    this.#context = context
    this.#onBug = onBug
    this.#now = now
    this.#nextTick = tickOf(now())
  }

  start(): void {
    this.#timer ??= setInterval(() => this.tick(), TICK_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#ticks.clear()
    this.#scheduled = 0
  }

  /** Looks at the call in so many milliseconds, or a little later; 0: at once. */
  schedule(ref: string, inMs: number): void {
    if (inMs <= 0) return this.#look(ref)
    if (this.#scheduled >= MAX_SCHEDULED) return
    const tick = Math.max(tickOf(this.#now() + inMs) + 1, this.#nextTick)
    const refs = this.#ticks.get(tick)
    if (refs === undefined) this.#ticks.set(tick, [ref])
    else refs.push(ref)
    this.#scheduled++
  }

  /** Looks at what is to be looked at by now. */
  tick(): void {
    const last = tickOf(this.#now())
    for (; this.#nextTick <= last; this.#nextTick++) {
      const refs = this.#ticks.get(this.#nextTick)
      if (refs === undefined) continue
      this.#ticks.delete(this.#nextTick)
      this.#scheduled -= refs.length
      for (const ref of refs) this.#look(ref)
    }
    this.#watchEdges(this.#now())
  }

  /** Does what is due at this call. @returns whether there was anything */
  async do(ref: string): Promise<boolean> {
    const taken = await this.#context.store.takeWork(ref, COMMAND_ACK_MS)
    if (!this.#context.health.see(taken) || taken.value === undefined) return false
    const work = taken.value
    if (work.kind === 'hangUp') await this.#hangUp(ref, work)
    else if (work.kind === 'probe') this.#probe(ref, work)
    else this.#warn(ref, work)
    return true
  }

  /** The edge has it. */
  async taken(ref: string): Promise<void> {
    await this.#postpone(ref, TAKEN_MS)
  }

  /** The edge can't: the next one is asked. @param inMs after this long */
  async passedOver(ref: string, inMs: number): Promise<void> {
    this.#underWay.delete(ref)
    await this.#postpone(ref, inMs)
    this.schedule(ref, inMs)
  }

  #look(ref: string): void {
    this.do(ref).catch(this.#onBug)
  }

  async #hangUp(ref: string, work: CallWork): Promise<void> {
    const context = this.#context
    const peer = edgeFor(context.pushes.peers(), work)
    if (peer === undefined) {
      await this.#postpone(ref, NO_EDGE_MS, true)
      return this.schedule(ref, NO_EDGE_MS)
    }
    if (work.attempt > MAX_ATTEMPTS || isLost(work)) return this.#give(ref, work)
    context.counts.hangUps++
    if (work.attempt > 1) context.counts.hangUpsRepeated++
    context.pushes.sendTo(peer, { event: { $case: 'hangUp', value: hangUpOf(ref, work) } })
    this.#note(ref, peer)
    this.schedule(ref, COMMAND_ACK_MS)
  }

  /** Nobody can end it: its record ends. */
  async #give(ref: string, { reason }: CallWork): Promise<void> {
    const ended = await this.#context.store.endBySystem(ref, reason)
    if (this.#context.health.see(ended) && ended.value.finished) this.#context.counts.hangUpsGivenUp++
  }

  #probe(ref: string, work: CallWork): void {
    const peer = edgeFor(this.#context.pushes.peers(), work)
    if (peer === undefined || work.dialogs.length === 0) return
    this.#context.counts.probes++
    const { call, dialogs } = partsOf(work)
    const value = { commandId: `${ref}.p`, callRef: ref, call, dialogs }
    this.#context.pushes.sendTo(peer, { event: { $case: 'probe', value } })
  }

  #warn(ref: string, work: CallWork): void {
    this.schedule(ref, work.leftMs)
    const peer = edgeFor(this.#context.pushes.peers(), work)
    const { call, dialogs } = partsOf(work)
    const dialog = dialogs[0]
    if (peer === undefined || dialog === undefined) return
    this.#context.counts.warnings++
    const text = this.#context.settings.warning.replaceAll('{seconds}', String(Math.round(work.leftMs / 1_000)))
    const value = { commandId: `${ref}.w`, callRef: ref, call, dialog, text }
    this.#context.pushes.sendTo(peer, { event: { $case: 'warn', value } })
  }

  #note(ref: string, peer: string): void {
    this.#underWay.delete(ref)
    if (this.#underWay.size >= MAX_UNDER_WAY) this.#underWay.delete(this.#underWay.keys().next().value as string)
    this.#underWay.set(ref, { peer, untilMs: this.#now() + TAKEN_MS })
  }

  /** An edge that is gone ends nothing any more. */
  #watchEdges(nowMs: number): void {
    if (this.#underWay.size === 0) return
    const peers = new Set(this.#context.pushes.peers())
    for (const [ref, { peer, untilMs }] of this.#underWay) {
      if (untilMs <= nowMs) this.#underWay.delete(ref)
      else if (!peers.has(peer)) this.passedOver(ref, 0).catch(this.#onBug)
    }
  }

  async #postpone(ref: string, inMs: number, isUncounted = false): Promise<void> {
    this.#context.health.see(await this.#context.store.postponeHangUp(ref, inMs, isUncounted))
  }
}

const tickOf = (ms: number): number => Math.floor(ms / TICK_MS)

/** Answered, and nothing on record by which its parties could be reached. */
const isLost = ({ call, dialogs }: CallWork): boolean => call.state === 'answered' && dialogs.length === 0

const nameOf = (edgeId: string): string => edgeId.slice(0, Math.max(0, edgeId.lastIndexOf('.')))

/** Edges that hold the call or a connection of its parties come first; each further attempt goes to the next. */
export function edgeFor(peers: readonly string[], work: CallWork): string | undefined {
  if (peers.length === 0) return undefined
  const wanted = new Set(work.call.state === 'setup' ? [work.call.call.edgeId] : flowEdges(work.dialogs))
  const names = new Set([...wanted].map(nameOf))
  const isNear = (peer: string): boolean => wanted.has(peer) || names.has(peer)
  const sorted = [...peers].sort()
  const start = sum(work.call.callRef) % sorted.length
  const order = [...sorted.slice(start), ...sorted.slice(0, start)]
  const near = [...order.filter(isNear), ...order.filter((peer) => !isNear(peer))]
  return near[Math.max(0, work.attempt - 1) % near.length]
}

function flowEdges(dialogs: readonly Dialog[]): string[] {
  return dialogs.flatMap(({ caller, callee }) => [caller?.flow?.edgeId ?? '', callee?.flow?.edgeId ?? ''])
}

/** The same for the same call; spreads calls over edges. */
function sum(text: string): number {
  let total = 0
  for (let i = 0; i < text.length; i++) total = (total * 31 + text.charCodeAt(i)) >>> 0
  return total
}

function partsOf({ call, dialogs }: CallWork): { call: policy.Call; dialogs: policy.Dialog[] } {
  return { call: { ...call.call, attempts: [] }, dialogs: dialogs.map(toDialog) }
}

const toDialog = ({ caller, callee, ...rest }: Dialog): policy.Dialog => ({
  ...rest,
  caller: caller && { ...caller, routes: [...caller.routes] },
  callee: callee && { ...callee, routes: [...callee.routes] },
})

function hangUpOf(ref: string, work: CallWork): policy.HangUp {
  const { reason, attempt, transactionKey, call } = work
  const key = call.state === 'setup' ? transactionKey : ''
  const commandId = `${ref}.${attempt}`
  return { commandId, callRef: ref, reason, status: statusOf(reason), transactionKey: key, attempt, ...partsOf(work) }
}
