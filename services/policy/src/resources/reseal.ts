// SPDX-License-Identifier: MIT
//
// Another key ring: what is secret in resources is sealed with its first key, as a revision of its own in which nothing else differs, so that the
// old key can be taken out of the ring. Every node tries, after a pause of its own; the store lets one through, and the others find nothing left.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Held } from '@tandem/resources'
import type { Logger } from '@tandem/service-kit'
import type { ResourceNode } from './resource-node.ts'
import type { ResourceWriter } from './resource-writer.ts'

export interface ResealOptions {
  readonly node: ResourceNode
  readonly writer: ResourceWriter
  readonly logger: Pick<Logger, 'info' | 'warn'>
  /** False ends it. */
  readonly goesOn: () => boolean
  /** Longest pause before the first try. */
  readonly spreadMs?: number
}

const SPREAD_MS = 3_000
const TRIES = 20
const LONGEST_PAUSE_MS = 30_000
const AUTHOR = 'key-ring'

/** Those whose secrets another key has sealed. */
export function sealedOtherwise(held: Iterable<Held>, key: number): Held[] {
  const found: Held[] = []
  for (const one of held) if (one.sealedBy !== undefined && one.sealedBy !== key) found.push(one)
  return found
}

/** Comes back when nothing is left, or after TRIES. @returns whether nothing is left */
export async function reseal(options: ResealOptions, key: number): Promise<boolean> {
  const { node, writer, logger, goesOn, spreadMs = SPREAD_MS } = options
  const stale = (): Held[] => sealedOtherwise(node.held.values(), key)
  let pauseMs = Math.random() * spreadMs
  for (let tries = 0; tries < TRIES && goesOn(); tries++) {
    await sleep(pauseMs, undefined, { ref: false })
    if (node.at !== undefined && stale().length === 0) return true
    const comment = `secrets are sealed with key ${key}`
    const terms = { expectedRevision: 0, dryRun: false, author: AUTHOR, comment, manager: AUTHOR }
    const result = await writer.write(terms, async (revision) => {
      const put = stale().map((held) => ({ ...held, revision }))
      return { put, removed: [], unchanged: 0, problems: [], warnings: [] }
    })
    if (result.outcome === 'done') logger.info({ key, resources: result.value.proposal.put.length }, comment)
    pauseMs = Math.min(1_000 * 2 ** tries, LONGEST_PAUSE_MS)
  }
  const left = stale().length
  if (left > 0 && goesOn())
    logger.warn({ key, left }, 'secrets of resources are still sealed with an older key: leave it in the ring')
  return left === 0
}
