// SPDX-License-Identifier: MIT
// Charged calls that are over: they wait until their account has been charged, then for the second look at it. They lie in the same
// due work as calls that live; scripts/charges.ts does the same in Redis.

import type { CallOnRecord } from '../call-record.ts'
import { type Billing, type ChargedCall, chargedOf } from '../charges.ts'

import type { Timed } from './deadlines.ts'

/** deadlineMs is the end of the claim when there is one, else the nearest thing that is due; dueMs the end of the call's time. */
export interface Held extends Timed {
  readonly call: CallOnRecord
  dueMs: number
  keepUntilMs: number
  /** What came late, with what its record lacked; `isToTell`: as a correction once the record has been made. */
  late?: CallOnRecord
  isToTell?: boolean
}

/** What becomes of them is for who holds records, due work and stones. */
export interface SettlementPort {
  schedule(held: Held, atMs: number): void
  record(call: CallOnRecord): void
  /** Takes it off the due work and remembers that it was. */
  entomb(held: Held): void
}

export class MemorySettlements {
  readonly #port: SettlementPort
  readonly #held = new Map<string, Held>()

  constructor(port: SettlementPort) {
    this.#port = port
  }

  get size(): number {
    return this.#held.size
  }

  get(ref: string): Held | undefined {
    return this.#held.get(ref)
  }

  begin(held: Held, atMs: number): void {
    held.call.state = 'ended'
    this.#held.set(held.call.ref, held)
    this.#port.schedule(held, atMs)
  }

  settled(ref: string, billing: Billing, checkAtMs: number | undefined): boolean {
    const held = this.#held.get(ref)
    if (held?.call.state !== 'ended') return false
    held.call.billing = billing
    this.#port.record(held.call)
    if (held.late !== undefined) held.late.billing = billing
    if (held.late !== undefined && held.isToTell === true) this.#port.record(held.late)
    if (checkAtMs === undefined) {
      this.#forget(held)
      return true
    }
    held.call.state = 'settled'
    this.#port.schedule(held, checkAtMs)
    return true
  }

  checked(ref: string): void {
    const held = this.#held.get(ref)
    if (held?.call.state === 'settled') this.#forget(held)
  }

  #forget(held: Held): void {
    this.#held.delete(held.call.ref)
    held.call.state = 'finished'
    this.#port.entomb(held)
  }
}

/** A call as due work and reports are told of it. */
export function chargedPart(call: CallOnRecord, nowMs: number): { charged?: ChargedCall } {
  const charged = chargedOf(call, nowMs)
  return charged === undefined ? {} : { charged }
}
