// SPDX-License-Identifier: MIT
//
// The ports of an edge toward the world: all are opened at once, as the last thing before it is ready, and closed at once, before it leaves
// the cluster. Where several edges share a port the kernel gives each open socket its share of what comes, whoever reads it or not.
//
// Invariant: after open() has failed, what could be opened stays open, and the next open() goes on with the rest.
// An edge that drains takes no further connections while its UDP port goes on: closeStreams().
// Race: close() during open(): what is still being opened is closed as soon as it is.

import type { TransportName } from '@tandem/transport'

export interface Door {
  readonly transport: TransportName
  close(): Promise<void>
}

export class PublicDoors {
  private readonly toOpen: (() => Promise<Door>)[] = []
  private readonly isOpen: Door[] = []
  private isClosed = false
  private areStreamsClosed = false

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
    else if (this.areStreamsClosed) await this.closeStreams()
  }

  /** No further connections; those that are open stay. */
  async closeStreams(): Promise<void> {
    this.areStreamsClosed = true
    const streams = this.isOpen.filter((door) => door.transport !== 'udp')
    for (const door of streams) this.isOpen.splice(this.isOpen.indexOf(door), 1)
    await Promise.all(streams.map((door) => door.close()))
  }

  async close(): Promise<void> {
    this.isClosed = true
    await Promise.all(this.isOpen.splice(0).map((door) => door.close()))
  }
}
