// SPDX-License-Identifier: MIT
//
// Makes changes of resources the next revision: on the head that they were checked against, all or nothing. One at a time on this node;
// between nodes the store decides, and who was slower is told so.
import { createHash, randomBytes } from 'node:crypto'
import {
  type Changes,
  checkChanges,
  eachOf,
  type Held,
  heldOf,
  inTurns,
  type LoadOptions,
  type Proposal,
  type SecretBox,
  type Sliced,
  textOfHeld,
} from '@tandem/resources'
import { type Refused, type Result, refused } from '@tandem/rpc'
import type { Logger } from '@tandem/service-kit'
import {
  chunksOf,
  type Eventual,
  RESOURCE_BOUNDS,
  type ResourceCommit,
  type ResourceCommitted,
  type ResourceHead,
  type ResourceStore,
  type ResourceWrite,
  type Stored,
} from '@tandem/store'
import { readTextsAt, StoreSilent } from './read-store.ts'
import type { ResourceNode } from './resource-node.ts'
import { noteText, type RevisionNote } from './revision-note.ts'

export interface WriterOptions {
  readonly store: ResourceStore
  readonly node: ResourceNode
  readonly box: SecretBox
  readonly load: LoadOptions
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
}

/** Who changes, and on what. */
export interface WriteTerms {
  /** 0: whatever the head is. */
  readonly expectedRevision: number
  readonly dryRun: boolean
  readonly author: string
  readonly comment: string
  readonly manager: string
  /** What is said of the cluster's files from then on; undefined: as it was. A revision is made even where nothing differs. */
  readonly files?: string
}

export interface Written {
  /** What was checked against; of what was written, that revision. */
  readonly head: ResourceHead
  readonly applied: boolean
  readonly proposal: Proposal
  /** Changed ones as they were. */
  readonly before: ReadonlyMap<string, Held>
}

/** Writers that wait for their turn on this node. */
const MAX_WAITING = 8
const STAGES_AT_ONCE = 4
const TRIES = 5
const MAX_FOLDS = 10_000

class Refusing extends Error {
  readonly refusal: Refused

  constructor(refusal: Refused) {
    super(refusal.refusal.detail)
    this.refusal = refusal
  }
}

const storeAway = (detail: string): Refusing => new Refusing(refused('store_away', 503, detail, { retryAfterS: 1 }))

function conflict(expected: number, head: ResourceHead): Refusing {
  const sentence = `expected revision ${expected}, the head is ${head.revision}: look at what changed, and try again`
  return new Refusing(refused('conflict', 409, sentence))
}

/** The value; what nobody knows is asked again. Throws `Refusing`. */
async function insist<T>(ask: () => Eventual<T>): Promise<T> {
  let last: Stored<T> | undefined
  for (let tries = 0; tries < TRIES; tries++) {
    last = await ask()
    if (last.state === 'stored') return last.value
    if (last.state === 'notStored' && last.reason === 'invalid')
      throw new Refusing(refused('too_large', 413, last.detail))
    await new Promise((resolve) => setTimeout(resolve, 50 * 2 ** tries))
  }
  throw storeAway(last?.state === 'stored' ? '' : (last?.detail ?? ''))
}

export class ResourceWriter {
  readonly #options: WriterOptions
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** @param propose what is to be changed in what the node holds, for the revision that it would be */
  async write(terms: WriteTerms, propose: (revision: number) => Promise<Proposal>): Promise<Result<Written>> {
    return this.#inTurn(async () => {
      const head = await this.#caughtUp()
      if (terms.expectedRevision !== 0 && terms.expectedRevision !== head.revision)
        throw conflict(terms.expectedRevision, head)
      const proposal = await propose(head.revision + 1)
      const before = this.#before(proposal)
      const { put, removed, problems } = proposal
      const isNothing = put.length + removed.length === 0 && terms.files === undefined
      if (terms.dryRun || problems.length > 0 || isNothing) return { head, applied: false, proposal, before }
      const next = await this.#commit(head, proposal, terms)
      return { head: next, applied: true, proposal, before }
    })
  }

  /** What would take the resources back to a revision. Throws `Refusing` where it can't be had. */
  async proposeRollback(revision: number, next: number): Promise<Proposal> {
    const { store, node, box, load } = this.#options
    const found = await readTextsAt(store, revision)
    if (found === undefined) throw new Refusing(refused('unknown_revision', 404, `revision ${revision} is not kept`))
    const put: Held[] = []
    const removed: Held[] = []
    for (const [key, text] of found.changed) {
      const now = node.held.get(key)
      if (text === '' && now !== undefined) removed.push(now)
      else if (text !== '') {
        const then = heldOf(key, text, box)
        if (now?.revision !== then.revision) put.push({ ...then, revision: next })
      }
    }
    const problems = await checkChanges(node.held, { put, removed }, { ...load, names: node.names })
    return { put, removed, unchanged: found.changed.size - put.length - removed.length, problems, warnings: [] }
  }

  /** Throws `Refusing`. */
  async #caughtUp(): Promise<ResourceHead> {
    const { store, node } = this.#options
    const head = await insist(() => store.head())
    if (node.at?.hash !== head.hash || node.at.revision !== head.revision) await node.catchUp()
    const { at, trouble } = node
    if (at?.revision === head.revision && at.hash === head.hash) return head
    if (at !== undefined && at.revision > head.revision) throw conflict(head.revision, node.head)
    throw new Refusing(refused('not_followed', 503, `this node does not use the head yet (${trouble || 'reading'})`))
  }

  #before({ put }: Changes): Map<string, Held> {
    const before = new Map<string, Held>()
    for (const { key } of put) {
      const held = this.#options.node.held.get(key)
      if (held !== undefined) before.set(key, held)
    }
    return before
  }

  async #commit(head: ResourceHead, changes: Changes, terms: WriteTerms): Promise<ResourceHead> {
    const { store, node, logger } = this.#options
    const writes = await inTurns(this.#writesOf(changes))
    const chunks = chunksOf(writes)
    const stage = randomBytes(12).toString('hex')
    const commit: ResourceCommit = {
      stage,
      chunks: chunks.length,
      writes: writes.length,
      expected: head,
      hash: await inTurns(hashOf(head, stage, writes)),
      note: noteText(noteOf(changes, node.held, terms)),
      ...(terms.files !== undefined && { files: terms.files, isVolatile: true }),
    }
    const committed = await this.#stageAndCommit(commit, chunks)
    if (committed.outcome !== 'committed') {
      await store.abandon(stage, chunks.length)
      if (committed.outcome === 'conflict') throw conflict(head.revision, committed.head)
      throw storeAway('what was staged was lost before it was committed')
    }
    const { author, comment, manager } = terms
    logger.info({ revision: head.revision + 1, author, comment, manager, writes: writes.length }, 'resources applied')
    void this.#fold().catch((error: unknown) =>
      logger.warn({ err: error }, 'old revisions of resources were not folded'),
    )
    await node.catchUp()
    return committed.head
  }

  *#writesOf({ put, removed }: Changes): Sliced<ResourceWrite[]> {
    const writes: ResourceWrite[] = []
    yield* eachOf(put, (held) => writes.push([held.key, textOfHeld(held, this.#options.box)]))
    const large = writes.find(([, text]) => Buffer.byteLength(text) > RESOURCE_BOUNDS.textBytes)
    if (large !== undefined)
      throw new Refusing(refused('too_large', 413, `${large[0]}: expected at most ${RESOURCE_BOUNDS.textBytes} bytes`))
    for (const { key } of removed) writes.push([key, ''])
    return writes
  }

  async #stageAndCommit(
    commit: ResourceCommit,
    chunks: readonly (readonly ResourceWrite[])[],
  ): Promise<ResourceCommitted> {
    const { store } = this.#options
    for (let at = 0; at < chunks.length; at += STAGES_AT_ONCE) {
      const some = chunks.slice(at, at + STAGES_AT_ONCE)
      await Promise.all(some.map((writes, n) => insist(() => store.stage(commit.stage, at + n, writes))))
    }
    return insist(() => store.commit(commit))
  }

  async #fold(): Promise<void> {
    for (let n = 0; n < MAX_FOLDS; n++) if (!(await insist(() => this.#options.store.fold()))) return
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<Result<T>> {
    if (this.#waiting >= MAX_WAITING)
      return refused('busy', 503, `${MAX_WAITING} changes wait on this node`, { retryAfterS: 1 })
    this.#waiting++
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => undefined)
    try {
      return { outcome: 'done', value: await turn }
    } catch (error) {
      if (error instanceof Refusing) return error.refusal
      if (error instanceof StoreSilent) return storeAway(error.message).refusal
      throw error
    } finally {
      this.#waiting--
    }
  }
}

function* hashOf(head: ResourceHead, stage: string, writes: readonly ResourceWrite[]): Sliced<string> {
  const hash = createHash('sha256').update(`${head.hash}\n${stage}`)
  yield* eachOf(writes, ([key, text]) => hash.update(`\n${key}\n${text}`))
  return hash.digest('hex').slice(0, 32)
}

function noteOf({ put, removed }: Changes, held: ReadonlyMap<string, Held>, terms: WriteTerms): RevisionNote {
  const { author, comment, manager } = terms
  const changed = put.filter(({ key }) => held.has(key)).length
  const keys = [...put, ...removed].map(({ key }) => key)
  return { author, comment, manager, added: put.length - changed, changed, removed: removed.length, keys }
}
