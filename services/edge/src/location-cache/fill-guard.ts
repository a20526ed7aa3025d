// SPDX-License-Identifier: MIT
//
// Whether an answer to Locate may be kept. The question was asked at one place of the order in which this edge was told of changes; a
// change that was told since may be missing in the answer, whichever of the two came first on its own way. One that was told before the
// question left is in the answer, because location reads the store after it was asked.
// Remembers by the hash of an address when it was last told of, in a table of fixed size: two addresses in one place cost a look-up.

const PLACES = 16_384

export class FillGuard {
  private readonly toldAt = new Float64Array(PLACES)
  private allToldAt = 0
  private sequence = 0

  /** The place in the order, for `isCurrent`. */
  begin(): number {
    return this.sequence
  }

  told(hashes: readonly number[]): void {
    this.sequence += 1
    for (const hash of hashes) this.toldAt[hash & (PLACES - 1)] = this.sequence
  }

  toldAll(): void {
    this.sequence += 1
    this.allToldAt = this.sequence
  }

  /** Nothing was told of this address since. */
  isCurrent(hash: number, begun: number): boolean {
    return begun >= this.allToldAt && begun >= (this.toldAt[hash & (PLACES - 1)] as number)
  }
}
