// SPDX-License-Identifier: MIT
//
// Who keeps phones behind NATs open when the edge is gone that did. With one address for all edges any of them can, but only the one that
// took a REGISTER knows of it. So each edge tells another one, once a second, of the addresses-of-record that it pings: that
// one of the others whose hash with the address-of-record is the highest (rendezvous hashing). When an edge is gone, by
// death or after a drain, those that it has told ask location for the bindings, and go on.
//
// Where edges have addresses of their own nobody is told: the NAT lets in no other.
// Bounds: MAX_NOTES addresses-of-record of others, PAGE of ours in a frame, FRAMES frames to one edge a second, LOOKS bindings taken over in
// a second. Races: the list of members has changed since: then an edge that was told may not be the heir any more, and leaves it; all are
// told again with each new list. An edge that ends before it has told anybody leaves its phones to their next REGISTER.

import { weightOf } from '../any-edge/takeover.ts'
import type { EdgeCore } from '../core.ts'
import { edgeHashOf } from '../membership/edge-hash.ts'
import { udpOf } from '../membership/membership.ts'

interface Note {
  readonly from: string
  readonly untilMs: number
}

const MAX_NOTES = 100_000
const PAGE = 200
const FRAMES = 10
const LOOKS = 200
const PERIOD_MS = 1_000

export class NatHeirs {
  /** What others would leave to us, by address-of-record. */
  private readonly notes = new Map<string, Note>()
  /** Of ours, and until when: their heirs have not been told. Monotonic milliseconds. */
  private readonly untold = new Map<string, number>()
  /** Left to us. */
  private readonly left: string[] = []
  private revision = -1n
  private dueMs = 0

  /** Addresses-of-record that others have told of. */
  get size(): number {
    return this.notes.size
  }

  /** This edge pings a binding of it. */
  tell(aor: string, untilMs: number): void {
    this.untold.set(aor, untilMs)
  }

  /** This edge pings none of it any more. */
  forget(aor: string): void {
    this.untold.delete(aor)
  }

  /**
   * @param all those of this edge with the end of their registration
   * @param takeOver is told of what has been left to this edge
   */
  tick(
    core: EdgeCore,
    nowMs: number,
    all: () => Iterable<readonly [aor: string, untilMs: number]>,
    takeOver: (aor: string) => void,
  ): void {
    if (nowMs < this.dueMs) return
    this.dueMs = nowMs + PERIOD_MS
    const { revision } = core.membership
    if (revision !== this.revision) {
      this.revision = revision
      for (const [aor, untilMs] of all()) this.untold.set(aor, untilMs)
      this.inherit(core, nowMs)
    }
    for (const aor of this.left.splice(0, LOOKS)) takeOver(aor)
    if (this.untold.size > 0) this.flush(core, nowMs)
  }

  /** What another edge tells: lines of seconds and address-of-record. @param from its id */
  take(core: EdgeCore, text: string): boolean {
    const [from = '', ...lines] = text.split('\n')
    if (core.membership.find(edgeHashOf(from)) === undefined) return false
    const nowMs = core.now()
    for (const line of lines) {
      const space = line.indexOf(' ')
      const untilMs = nowMs + Number(line.slice(0, space)) * 1000
      if (this.notes.size >= MAX_NOTES) this.sweep(nowMs)
      if (space > 0 && untilMs > nowMs && this.notes.size < MAX_NOTES)
        this.notes.set(line.slice(space + 1), { from, untilMs })
    }
    return true
  }

  private sweep(nowMs: number): void {
    for (const [aor, { untilMs }] of this.notes) if (untilMs <= nowMs) this.notes.delete(aor)
  }

  private inherit(core: EdgeCore, nowMs: number): void {
    for (const [aor, { from, untilMs }] of this.notes) {
      if (core.membership.find(edgeHashOf(from)) !== undefined) continue
      this.notes.delete(aor)
      if (untilMs > nowMs && heirOf(core, aor, from) === core.edgeId) this.left.push(aor)
    }
  }

  private flush(core: EdgeCore, nowMs: number): void {
    const byHeir = new Map<string, [string, number][]>()
    for (const [aor, untilMs] of this.untold) {
      const heir = heirOf(core, aor, core.edgeId)
      const lines = byHeir.get(heir) ?? []
      if (heir !== '' && untilMs > nowMs && lines.length >= PAGE * FRAMES) continue
      this.untold.delete(aor)
      if (heir === '' || untilMs <= nowMs) continue
      lines.push([aor, untilMs])
      byHeir.set(heir, lines)
    }
    for (const [heir, lines] of byHeir)
      for (let k = 0; k < lines.length; k += PAGE) this.send(core, heir, lines.slice(k, k + PAGE), nowMs)
  }

  /** What that edge has not taken is told again. */
  private send(core: EdgeCore, heir: string, lines: readonly [string, number][], nowMs: number): void {
    const text = [core.edgeId, ...lines.map(([aor, untilMs]) => `${Math.ceil((untilMs - nowMs) / 1000)} ${aor}`)].join(
      '\n',
    )
    core.anyEdge.relays.send(edgeHashOf(heir), 'pings', Buffer.from(text, 'latin1'), (outcome) => {
      if (outcome === 'taken') return
      for (const [aor, untilMs] of lines) if (!this.untold.has(aor)) this.untold.set(aor, untilMs)
    })
  }
}

/** Of the edges with this one's address the heir of another; '' where there is none. An edge in that one's place knows nothing yet. */
function heirOf(core: EdgeCore, aor: string, of: string): string {
  const name = of.slice(0, of.lastIndexOf('.'))
  let [best, most] = ['', -1]
  for (const edge of core.membership.edges()) {
    if (edge.name === name || udpOf(edge) !== core.hops.nat.ownUdp) continue
    const weight = weightOf(aor, edge.id)
    if (weight > most) [best, most] = [edge.id, weight]
  }
  return best
}
