// SPDX-License-Identifier: MIT
//
// Asks all edges at once about messages: a command goes out over every stream, each edge answers over its own (proto/tandem/policy/v1, CaptureCommand). This
// node alone knows the question; an edge that is connected to other nodes only is not asked.
// Bounds: MAX_OPEN questions at a time, WAIT_MS each.

import { randomUUID } from 'node:crypto'
import { done, type PushHub, type policy, type Result } from '@tandem/rpc'
import { refusal } from '../errors.ts'

const MAX_OPEN = 64
const WAIT_MS = 2_000

export interface EdgeAnswers {
  readonly edges: policy.CapturedRequest[]
  /** Edges that have said nothing in time. */
  readonly silent: string[]
}

interface Question {
  readonly answers: Map<string, policy.CapturedRequest>
  /** Peers: names with their incarnation. */
  readonly asked: readonly string[]
  end(): void
}

export class EdgeQuestions {
  readonly #pushes: PushHub<policy.Push>
  readonly #open = new Map<string, Question>()

  constructor(pushes: PushHub<policy.Push>) {
    this.#pushes = pushes
  }

  /** What these edges say, every connected one where none are named, as soon as all have, or after WAIT_MS. */
  async ask(
    wish: NonNullable<policy.CaptureCommand['wish']>,
    asked: readonly string[] = this.#pushes.peers(),
  ): Promise<Result<EdgeAnswers>> {
    if (this.#open.size >= MAX_OPEN) return refusal('too_many_questions')
    const commandId = randomUUID()
    const answers = new Map<string, policy.CapturedRequest>()
    if (asked.length > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, WAIT_MS)
        const end = (): void => {
          clearTimeout(timer)
          resolve()
        }
        this.#open.set(commandId, { answers, asked, end })
        for (const peer of asked) this.#pushes.sendTo(peer, { event: { $case: 'capture', value: { commandId, wish } } })
      })
      this.#open.delete(commandId)
    }
    const silent = asked.filter((peer) => !answers.has(peer))
    return done({ edges: [...answers.values()].sort((a, b) => a.edge.localeCompare(b.edge)), silent })
  }

  /** The handler of `captured`. An answer that nobody waits for is dropped. */
  captured(answer: policy.CapturedRequest, peer: string): Result<policy.CapturedResponse> {
    const question = this.#open.get(answer.commandId)
    if (question?.asked.includes(peer)) {
      question.answers.set(peer, answer)
      if (question.answers.size === question.asked.length) question.end()
    }
    return done({})
  }
}
