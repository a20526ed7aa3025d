// SPDX-License-Identifier: MIT
//
// Which records are in the file already, in bounded memory. The keys of the latest lines are kept exactly; of those that
// were let go, the highest stream id of each shard is kept. A record above that and not among the latest can't be in the
// file; one below it may be, and is looked up there. Ids of a shard grow, but records of one shard can arrive out of order
// (an entry that one policy node held is delivered later by another), so the highest id alone would lose records.

/** What tells one line from another. */
export function lineKey(id: string, cdrId: string): string {
  return `${id} ${cdrId}`
}

export type Presence = 'written' | 'new' | 'unsure'

/** Shards that are told apart; beyond it every record that is not among the latest is unsure. */
const MAX_SHARDS = 4_096

interface StreamId {
  readonly shard: string
  readonly ms: number
  readonly sequence: number
}

const STREAM_ID = /^(.{1,64})\/(\d{1,15})-(\d{1,15})$/s

function parseStreamId(id: string): StreamId | undefined {
  const match = STREAM_ID.exec(id)
  return match ? { shard: match[1] as string, ms: Number(match[2]), sequence: Number(match[3]) } : undefined
}

function isAbove(a: StreamId, b: StreamId): boolean {
  return a.ms > b.ms || (a.ms === b.ms && a.sequence > b.sequence)
}

export class WrittenKeys {
  /** Key → stream id, oldest first. */
  readonly #recent = new Map<string, string>()
  readonly #highestGone = new Map<string, StreamId>()
  readonly #capacity: number
  /** A key was let go that no shard's mark stands for. */
  #unmarked = false

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  presence(id: string, cdrId: string): Presence {
    if (this.#recent.has(lineKey(id, cdrId))) return 'written'
    if (this.#highestGone.size === 0 && !this.#unmarked) return 'new'
    const parsed = parseStreamId(id)
    if (!parsed || this.#unmarked) return 'unsure'
    const mark = this.#highestGone.get(parsed.shard)
    return mark === undefined || isAbove(parsed, mark) ? 'new' : 'unsure'
  }

  add(id: string, cdrId: string): void {
    this.#recent.set(lineKey(id, cdrId), id)
    if (this.#recent.size <= this.#capacity) return
    for (const [key, gone] of this.#recent) {
      this.#recent.delete(key)
      this.#mark(gone)
      return
    }
  }

  clear(): void {
    this.#recent.clear()
    this.#highestGone.clear()
    this.#unmarked = false
  }

  #mark(id: string): void {
    const parsed = parseStreamId(id)
    const mark = parsed && this.#highestGone.get(parsed.shard)
    if (!parsed || (!mark && this.#highestGone.size >= MAX_SHARDS)) {
      this.#unmarked = true
    } else if (!mark || isAbove(parsed, mark)) {
      this.#highestGone.set(parsed.shard, parsed)
    }
  }
}
