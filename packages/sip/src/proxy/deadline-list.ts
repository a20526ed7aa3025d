// SPDX-License-Identifier: MIT
//
// Deadlines of the proxy core: Timer C, ring times, cancelled branches. One list per length, in the order of arming, which is
// the order of their ends: arming, disarming and expiring cost the same however many there are (the lists of tm in Kamailio).
//
// Invariant: an item is in one list at most; arming it again moves it.

/** What can be armed: the links live in the item, so that arming allocates nothing. */
export class Deadline {
  /** End of the deadline in the clock of `expire`, 0 when not armed. */
  deadlineMs = 0
  before: Deadline | undefined = undefined
  after: Deadline | undefined = undefined
  list: DeadlineList | undefined = undefined
}

interface DeadlineList {
  readonly lengthMs: number
  first: Deadline | undefined
  last: Deadline | undefined
}

/** Lengths are rounded up to this, which bounds how many lists there can be. */
const GRAIN_MS = 1000

export class DeadlineLists<T extends Deadline> {
  private readonly lists = new Map<number, DeadlineList>()

  /** Arms `item` to end `lengthMs` (rounded up to whole seconds) after `nowMs`. */
  arm(item: T, lengthMs: number, nowMs: number): void {
    this.disarm(item)
    const rounded = Math.ceil(lengthMs / GRAIN_MS) * GRAIN_MS
    let list = this.lists.get(rounded)
    if (list === undefined) {
      list = { lengthMs: rounded, first: undefined, last: undefined }
      this.lists.set(rounded, list)
    }
    item.deadlineMs = nowMs + rounded
    append(list, item)
  }

  disarm(item: T): void {
    const list = item.list
    if (list === undefined) return
    if (item.before === undefined) list.first = item.after
    else item.before.after = item.after
    if (item.after === undefined) list.last = item.before
    else item.after.before = item.before
    item.before = undefined
    item.after = undefined
    item.list = undefined
    item.deadlineMs = 0
  }

  /** Disarms every item that is due and hands it over. */
  expire(nowMs: number, onDue: (item: T) => void): void {
    for (const list of this.lists.values()) {
      for (let item = list.first; item !== undefined && item.deadlineMs <= nowMs; item = list.first) {
        this.disarm(item as T)
        onDue(item as T)
      }
    }
  }

  /** True when nothing is armed; walks the lists, for tests. */
  isEmpty(): boolean {
    for (const list of this.lists.values()) if (list.first !== undefined) return false
    return true
  }
}

function append(list: DeadlineList, item: Deadline): void {
  item.list = list
  item.before = list.last
  if (list.last === undefined) list.first = item
  else list.last.after = item
  list.last = item
}
