// SPDX-License-Identifier: MIT
// The change feed of one shard and its versions: a bounded list, read by cursor. A version is greater than any before it,
// in this process and in those before it (it starts from the clock).

import type { Change, ChangeCause, ChangeKind, ChangePage } from '../types.ts'

export class ChangeFeed {
  readonly #maxLen: number
  readonly #onChange: (aor: string, nowMs: number) => void
  #changes: Change[] = []
  /** Version of the newest change that was trimmed. */
  #trimmed = 0n
  #last = 0n

  /** @param onChange told of each change as it is added */
  constructor(maxLen: number, onChange: (aor: string, nowMs: number) => void) {
    this.#maxLen = maxLen
    this.#onChange = onChange
  }

  get version(): bigint {
    return this.#last
  }

  add(aor: string, kind: ChangeKind, contact: string, cause: ChangeCause, nowMs: number): bigint {
    const fromClock = BigInt(Math.floor(nowMs)) << 20n
    this.#last = fromClock > this.#last ? fromClock : this.#last + 1n
    this.#changes.push({ aor, kind, contact, cause, version: this.#last })
    if (this.#changes.length >= 2 * this.#maxLen) this.#trim()
    this.#onChange(aor, nowMs)
    return this.#last
  }

  read(after: string | undefined, limit: number): ChangePage {
    if (after === undefined) return { changes: [], cursor: this.#last.toString(), gap: false }
    const cursor = BigInt(after)
    const changes: Change[] = []
    for (const change of this.#changes) {
      if (changes.length >= limit) break
      if (change.version > cursor) changes.push({ ...change })
    }
    const last = changes.at(-1)
    return { changes, cursor: last === undefined ? after : last.version.toString(), gap: cursor < this.#trimmed }
  }

  #trim(): void {
    const cut = this.#changes.length - this.#maxLen
    this.#trimmed = this.#changes[cut - 1]?.version ?? this.#trimmed
    this.#changes = this.#changes.slice(cut)
  }
}
