// SPDX-License-Identifier: MIT
//
// Where a service puts what it pushes and where its open streams collect it. A push reaches the streams that are open at
// that moment; whoever needs certainty repeats the push until it is acknowledged by an item of its own.

interface Subscriber<Push> {
  peer: string
  deliver: (push: Push) => void
}

export class PushHub<Push> {
  readonly #subscribers = new Set<Subscriber<Push>>()

  /** To every open stream. Returns how many there were. */
  send(push: Push): number {
    for (const subscriber of this.#subscribers) subscriber.deliver(push)
    return this.#subscribers.size
  }

  /** To one stream of this peer. Returns false when it has none here. */
  sendTo(peer: string, push: Push): boolean {
    for (const subscriber of this.#subscribers) {
      if (subscriber.peer !== peer) continue
      subscriber.deliver(push)
      return true
    }
    return false
  }

  /** Whether this peer has a stream here. */
  has(peer: string): boolean {
    for (const subscriber of this.#subscribers) if (subscriber.peer === peer) return true
    return false
  }

  /** Who has a stream here, each once. */
  peers(): string[] {
    return [...new Set(Array.from(this.#subscribers, ({ peer }) => peer))]
  }

  /** For the bindings: returns what ends the subscription. */
  subscribe(peer: string, deliver: (push: Push) => void): () => void {
    const subscriber = { peer, deliver }
    this.#subscribers.add(subscriber)
    return () => this.#subscribers.delete(subscriber)
  }

  get subscriberCount(): number {
    return this.#subscribers.size
  }
}
