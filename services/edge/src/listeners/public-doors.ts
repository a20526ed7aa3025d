// SPDX-License-Identifier: MIT
//
// The ports of an edge toward the world: all are opened at once, as the last thing before it is ready, and closed at once, before it leaves
// the cluster. Where several edges share a port the kernel gives each open socket its share of what comes, whoever reads it or not.
//
// Invariant: after open() has failed, what could be opened stays open, and the next open() goes on with the rest.
// Race: close() during open(): what is still being opened is closed as soon as it is.

export interface Door {
  close(): Promise<void>
}

export class PublicDoors {
  private readonly toOpen: (() => Promise<Door>)[] = []
  private readonly isOpen: Door[] = []
  private isClosed = false

  add(open: () => Promise<Door>): void {
    this.toOpen.push(open)
  }

  /** Rejects with the sentence of the first one that can't be opened. */
  async open(): Promise<void> {
    for (let next = this.toOpen[0]; next !== undefined && !this.isClosed; next = this.toOpen[0]) {
      const door = await next()
      this.toOpen.shift()
      this.isOpen.push(door)
    }
    if (this.isClosed) await this.close()
  }

  async close(): Promise<void> {
    this.isClosed = true
    await Promise.all(this.isOpen.splice(0).map((door) => door.close()))
  }
}
