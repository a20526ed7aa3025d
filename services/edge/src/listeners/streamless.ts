// SPDX-License-Identifier: MIT
//
// Hosts that took no connection when a large request was to go over TCP (RFC 3261 section 18.1.1). For some minutes UDP is what they
// get at once: else each large request of a UDP-only phone behind a firewall would wait for a connection that never comes.
// Bounded: at the bound all are forgotten, and found out again.

const FORGET_AFTER_MS = 300_000
const MAX_HOSTS = 10_000

export class Streamless {
  private readonly since = new Map<string, number>()

  add(address: string, port: number, nowMs: number): void {
    if (this.since.size >= MAX_HOSTS) this.since.clear()
    this.since.set(`${address} ${port}`, nowMs)
  }

  has(address: string, port: number, nowMs: number): boolean {
    if (this.since.size === 0) return false
    const key = `${address} ${port}`
    const since = this.since.get(key)
    if (since === undefined) return false
    if (nowMs - since < FORGET_AFTER_MS) return true
    this.since.delete(key)
    return false
  }
}
