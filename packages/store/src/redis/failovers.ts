// SPDX-License-Identifier: MIT
// How often Redis was lost, and how often a master was found where none was before: a failover, or masters that were added to a Cluster.
// A standalone server behind one address moves unseen.

export class Failovers {
  #losses = 0
  #moves = 0
  #masters: ReadonlySet<string> = new Set()

  /** The connection is gone. */
  lost(): void {
    this.#losses++
  }

  /** @param places host:port of every master that is known now; none says nothing */
  found(places: readonly string[]): void {
    if (places.length === 0) return
    const isNew = (place: string): boolean => !this.#masters.has(place)
    if (this.#masters.size > 0) this.#moves += places.filter(isNew).length
    this.#masters = new Set(places)
  }

  counts(): { redisLost: number; redisMoved: number } {
    return { redisLost: this.#losses, redisMoved: this.#moves }
  }
}
