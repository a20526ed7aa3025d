// SPDX-License-Identifier: MIT
//
// Keep-alives of ours toward contacts over UDP that are behind a NAT (docs/nat.md): without traffic the NAT forgets them within half a
// minute, and no call gets in any more. One edge pings a binding: the one that took its last REGISTER, which is the one that the
// NAT has let in, and whose table this is; when it is gone, its heir where all share one address (nat-heirs.ts). What stands in it comes from answers of location alone: a binding that is another
// edge's by now, or gone, is out of it with the next answer for its address, which is asked for once in half of its lifetime.
//
// Spread: due times stand in a ring of slots of a tenth of a second; a binding's first one is anywhere in the second half of the
// interval, and each later one up to a sixth of the interval late, so that bindings that came together drift apart.
// Bounded in bindings; beyond the bound they are counted, and not pinged. Where edges have their own
// addresses, phones of one that is gone are pinged again from their next REGISTER on.

import type { location } from '@tandem/rpc'
import type { EdgeCore } from '../core.ts'
import { NatHeirs } from './nat-heirs.ts'
import { sendOptionsPing } from './options-ping.ts'

/** One binding behind a NAT. */
export interface NatBinding {
  readonly aor: string
  readonly uri: string
  /** Where its REGISTER came from. */
  address: string
  port: number
  /** End of the registration, and when location is asked whether it is still ours. Monotonic milliseconds. */
  untilMs: number
  checkAtMs: number
  /** OPTIONS without an answer, in a row. */
  failures: number
  slot: number
}

const SLOT_MS = 100
/** Part of the interval that a ping may be late by chance. */
const JITTER = 0.16
const MAX_BINDINGS = 100_000

export class NatPings {
  readonly heirs = new NatHeirs()
  private readonly intervalMs: number
  private readonly maxBindings: number
  private readonly random: () => number
  private readonly byAor = new Map<string, NatBinding[]>()
  private readonly slots: Set<NatBinding>[]
  /** Slots up to here have been looked at. */
  private doneSlot = -1
  private count = 0

  /** @param random [0, 1) */
  constructor(intervalMs: number, random: () => number, maxBindings = MAX_BINDINGS) {
    this.intervalMs = intervalMs
    this.random = random
    this.maxBindings = maxBindings
    this.slots = Array.from({ length: Math.ceil((intervalMs * (1 + JITTER)) / SLOT_MS) + 2 }, () => new Set())
  }

  /** Bindings in the table. */
  get size(): number {
    return this.count
  }

  /**
   * All bindings of an address-of-record as location has them now.
   *
   * @param inherits also takes those that an edge left which is gone
   */
  sync(core: EdgeCore, aor: string, bindings: readonly location.Binding[], inherits = false): void {
    if (core.config.natPing.method === 'off') return
    const known = this.byAor.get(aor)
    if (known === undefined && !inherits && !bindings.some((binding) => isOurs(core, binding))) return
    const kept: NatBinding[] = []
    for (const binding of bindings) {
      const before = known?.find(({ uri }) => uri === binding.uri)
      const isLeft = (inherits || before !== undefined) && core.hops.nat.isOrphaned(binding)
      if (!isLeft && !isOurs(core, binding)) continue
      const held = before ?? this.create(core, aor, binding.uri)
      if (held === undefined) continue
      this.refresh(held, binding, core.now())
      kept.push(held)
    }
    for (const held of known ?? []) if (!kept.includes(held)) this.drop(held)
    if (kept.length === 0) return this.forgetAor(aor)
    this.byAor.set(aor, kept)
    this.heirs.tell(aor, untilOf(kept))
  }

  private forgetAor(aor: string): void {
    this.byAor.delete(aor)
    this.heirs.forget(aor)
  }

  private *ends(): Iterable<readonly [string, number]> {
    for (const [aor, held] of this.byAor) yield [aor, untilOf(held)]
  }

  /** An edge that is gone has left it to this one. */
  private takeOver(core: EdgeCore, aor: string): void {
    core.counts.natBindingsInherited += 1
    core.location.call('locate', { aor }, core.config.rpc.timeoutMs, (result) => {
      if (result.outcome === 'done') this.sync(core, aor, result.value.bindings, true)
    })
  }

  /** Pings what is due. */
  tick(core: EdgeCore, nowMs: number): void {
    if (core.config.natPing.method !== 'off') {
      this.heirs.tick(
        core,
        nowMs,
        () => this.ends(),
        (aor) => this.takeOver(core, aor),
      )
    }
    const last = Math.floor(nowMs / SLOT_MS)
    if (this.count === 0) {
      this.doneSlot = last
      return
    }
    // After a long pause of the process each slot is looked at once.
    this.doneSlot = Math.max(this.doneSlot, last - this.slots.length)
    while (this.doneSlot < last) {
      this.doneSlot += 1
      for (const held of [...this.slotAt(this.doneSlot)]) if (held.slot <= this.doneSlot) this.fire(core, held, nowMs)
    }
  }

  private create(core: EdgeCore, aor: string, uri: string): NatBinding | undefined {
    if (this.count >= this.maxBindings) {
      core.counts.natBindingsRefused += 1
      return undefined
    }
    this.count += 1
    const held = { aor, uri, address: '', port: 0, untilMs: 0, checkAtMs: 0, failures: 0, slot: 0 }
    this.schedule(held, core.now() + this.intervalMs * (0.5 + this.random() / 2))
    return held
  }

  private refresh(held: NatBinding, { flow, expiresS }: location.Binding, nowMs: number): void {
    if (flow === undefined) return
    if (held.address !== flow.address || held.port !== flow.port) held.failures = 0
    held.address = flow.address
    held.port = flow.port
    held.untilMs = nowMs + expiresS * 1000
    held.checkAtMs = nowMs + expiresS * 500
  }

  private fire(core: EdgeCore, held: NatBinding, nowMs: number): void {
    this.slotAt(held.slot).delete(held)
    if (held.untilMs <= nowMs) return this.forget(held)
    this.schedule(held, nowMs + this.intervalMs * (1 + JITTER * this.random()))
    ping(core, held)
    if (nowMs >= held.checkAtMs) this.check(core, held, nowMs)
  }

  /** The phone may have registered elsewhere since. */
  private check(core: EdgeCore, held: NatBinding, nowMs: number): void {
    held.checkAtMs = held.untilMs - (held.untilMs - nowMs) / 2
    core.location.call('locate', { aor: held.aor }, core.config.rpc.timeoutMs, (result) => {
      if (result.outcome === 'done') this.sync(core, held.aor, result.value.bindings)
    })
  }

  private schedule(held: NatBinding, dueMs: number): void {
    held.slot = Math.ceil(dueMs / SLOT_MS)
    this.slotAt(held.slot).add(held)
  }

  private slotAt(slot: number): Set<NatBinding> {
    return this.slots[slot % this.slots.length] as Set<NatBinding>
  }

  private forget(held: NatBinding): void {
    const rest = this.byAor.get(held.aor)?.filter((other) => other !== held) ?? []
    if (rest.length > 0) this.byAor.set(held.aor, rest)
    else this.forgetAor(held.aor)
    this.drop(held)
  }

  private drop(held: NatBinding): void {
    this.slotAt(held.slot).delete(held)
    this.count -= 1
  }
}

function untilOf(held: readonly NatBinding[]): number {
  return held.reduce((most, { untilMs }) => Math.max(most, untilMs), 0)
}

function isOurs(core: EdgeCore, { flow }: location.Binding): boolean {
  return flow?.natEdge === core.edgeId
}

/** Four bytes that mean nothing: any SIP implementation skips line ends before a message [RFC3261-7.5]. */
const CRLF_CRLF = Buffer.from('\r\n\r\n')

function ping(core: EdgeCore, held: NatBinding): void {
  const { address, port } = held
  const peer = core.hops.toResponseTarget({ transport: 'udp', host: address, port, isNumeric: true }, false)
  if (peer === undefined) return
  core.counts.natPings += 1
  if (core.config.natPing.method === 'options') return sendOptionsPing(core, held, peer)
  peer.send(CRLF_CRLF, 0, CRLF_CRLF.length)
}
