// SPDX-License-Identifier: MIT
//
// An edge that connects is told of the filters on messages that the others have: nobody else remembers them. Those that came within GATHER_MS are told
// together, so that a policy node to which all edges come at once asks them once.
// Race: a filter that is cleared just then may be told all the same; its time ends it.

import { randomUUID } from 'node:crypto'
import type { PushHub, policy } from '@tandem/rpc'
import type { EdgeQuestions } from './ask-edges.ts'

const GATHER_MS = 500

export class FilterGreeting {
  readonly #pushes: PushHub<policy.Push>
  readonly #questions: EdgeQuestions
  readonly #onBug: (error: unknown) => void
  readonly #newcomers = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  constructor(pushes: PushHub<policy.Push>, questions: EdgeQuestions, onBug: (error: unknown) => void) {
    this.#pushes = pushes
    this.#questions = questions
    this.#onBug = onBug
  }

  /** @param peer an edge whose stream has just opened */
  greet(peer: string): void {
    this.#newcomers.add(peer)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#tell().catch(this.#onBug)
    }, GATHER_MS).unref()
  }

  async #tell(): Promise<void> {
    const newcomers = [...this.#newcomers]
    this.#newcomers.clear()
    const others = this.#pushes.peers().filter((peer) => !newcomers.includes(peer))
    if (others.length === 0) return
    const found = await this.#questions.ask({ $case: 'listFilters', value: {} }, others)
    if (found.outcome !== 'done') return
    for (const filter of different(found.value.edges.flatMap(({ filters }) => filters)))
      for (const peer of newcomers) this.#push(peer, filter)
  }

  #push(peer: string, value: policy.MessageFilter): void {
    const command = { commandId: randomUUID(), wish: { $case: 'setFilter' as const, value } }
    this.#pushes.sendTo(peer, { event: { $case: 'capture', value: command } })
  }
}

/** Each once, whatever time each edge says is left. */
function different(filters: readonly policy.MessageFilter[]): Iterable<policy.MessageFilter> {
  const byKey = filters.map((filter): [string, policy.MessageFilter] => {
    const { callId, source, user, targets } = filter
    return [JSON.stringify([callId, source, user, targets.toSorted()]), filter]
  })
  return new Map(byKey).values()
}
