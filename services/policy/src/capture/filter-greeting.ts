// SPDX-License-Identifier: MIT
//
// An edge that connects is told of the filters on messages that the others have: nobody else remembers them. Those that came within GATHER_MS are told
// together, so that a policy node to which all edges come at once asks them once. One that does not answer, because it is warming up yet, is told again.
// Race: a filter that is cleared just then may be told all the same; its time ends it.

import type { PushHub, policy } from '@tandem/rpc'
import type { EdgeQuestions } from './ask-edges.ts'

const GATHER_MS = 500
/** Each waits for the answer; together longer than a warm-up. */
const MAX_TRIES = 6

export class FilterGreeting {
  readonly #pushes: PushHub<policy.Push>
  readonly #questions: EdgeQuestions
  readonly #onBug: (error: unknown) => void
  /** Tries that are left of each. */
  readonly #newcomers = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(pushes: PushHub<policy.Push>, questions: EdgeQuestions, onBug: (error: unknown) => void) {
    this.#pushes = pushes
    this.#questions = questions
    this.#onBug = onBug
  }

  /** @param peer an edge whose stream has just opened */
  greet(peer: string): void {
    this.#newcomers.set(peer, MAX_TRIES)
    this.#schedule()
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#tell().catch(this.#onBug)
    }, GATHER_MS).unref()
  }

  async #tell(): Promise<void> {
    const newcomers = new Map([...this.#newcomers].filter(([peer]) => this.#pushes.has(peer)))
    this.#newcomers.clear()
    const others = this.#pushes.peers().filter((peer) => !newcomers.has(peer))
    if (others.length === 0 || newcomers.size === 0) return
    const found = await this.#questions.ask({ $case: 'listFilters', value: {} }, others)
    const peers = [...newcomers.keys()]
    // Too many questions are open: later.
    if (found.outcome !== 'done') return this.#again(newcomers, peers)
    const filters = different(found.value.edges.flatMap((edge) => edge.filters))
    this.#again(newcomers, await this.#push(filters, peers))
  }

  /** @param newcomers with the tries that they had; who has connected anew meanwhile has all of them */
  #again(newcomers: ReadonlyMap<string, number>, peers: Iterable<string>): void {
    for (const peer of peers) {
      const left = (newcomers.get(peer) ?? 0) - 1
      if (left > 0 && !this.#newcomers.has(peer)) this.#newcomers.set(peer, left)
    }
    if (this.#newcomers.size > 0) this.#schedule()
  }

  /** @returns who has not answered to one of them */
  async #push(filters: readonly policy.MessageFilter[], peers: readonly string[]): Promise<ReadonlySet<string>> {
    const asked = filters.map((value) => this.#questions.ask({ $case: 'setFilter', value }, peers))
    const silent = new Set<string>()
    for (const result of await Promise.all(asked))
      for (const peer of result.outcome === 'done' ? result.value.silent : peers) silent.add(peer)
    return silent
  }
}

/** Each once, whatever time each edge says is left. */
function different(filters: readonly policy.MessageFilter[]): policy.MessageFilter[] {
  const byKey = filters.map((filter): [string, policy.MessageFilter] => {
    const { callId, source, user, targets } = filter
    return [JSON.stringify([callId, source, user, targets.toSorted()]), filter]
  })
  return [...new Map(byKey).values()]
}
