// SPDX-License-Identifier: MIT
// The file in which an embedded store keeps resources: JSON lines. The first is the base, each further one a revision, synced before it
// is acknowledged. A line that is torn, or does not follow from the one before it, ends what is read; the next write is a whole new file.
// It begins with the first revision that its owner does not bring again at each start. One process at a time writes it.

import { mkdirSync, readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { LoggedRevision, ResourceImage } from './resources.ts'

const FORMAT = 'tandem-resources/1'
/** Revisions of a file that is read; with more it is written anew. */
const MAX_LINES = 1_000

export class ResourceFile {
  readonly #path: string
  readonly #onTrouble: (sentence: string) => void
  #exists = false
  #isWhole = true

  /** @param onTrouble hears what was wrong with a file that was read */
  constructor(path: string, onTrouble: (sentence: string) => void = () => undefined) {
    this.#path = path
    this.#onTrouble = onTrouble
  }

  /** Something was written to it, now or before. */
  get exists(): boolean {
    return this.#exists && this.#isWhole
  }

  /** undefined: there is none, or none that can be read. */
  load(): ResourceImage | undefined {
    const text = this.#read()
    if (text === undefined) return undefined
    this.#exists = true
    const [first = '', ...lines] = text.split('\n')
    const image = baseOf(first)
    if (image === undefined) {
      this.#isWhole = false
      this.#onTrouble(`${this.#path} is no file of resources; what is applied next takes its place`)
      return undefined
    }
    const log: LoggedRevision[] = []
    let hash = image.base.revision
    for (const line of lines) {
      if (line === '') continue
      const revision = revisionOf(line)
      if (revision === undefined || revision.revision !== hash + 1) {
        this.#isWhole = false
        this.#onTrouble(`${this.#path}: what follows revision ${hash} can not be read, and is left out`)
        break
      }
      log.push(revision)
      hash = revision.revision
    }
    if (log.length > MAX_LINES) this.#isWhole = false
    return { ...image, log }
  }

  /** Writes a whole file in the place of what there was. */
  async begin({ base, documents, log }: ResourceImage): Promise<void> {
    mkdirSync(dirname(this.#path), { recursive: true })
    const next = `${this.#path}.new`
    const file = await open(next, 'w', 0o600)
    try {
      await file.write(`${JSON.stringify({ format: FORMAT, base, documents: [...documents] })}\n`)
      for (const revision of log) await file.write(`${JSON.stringify(revision)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(next, this.#path)
    this.#exists = true
    this.#isWhole = true
  }

  async append(revision: LoggedRevision): Promise<void> {
    const file = await open(this.#path, 'a', 0o600)
    try {
      await file.write(`${JSON.stringify(revision)}\n`)
      await file.sync()
    } catch (error) {
      // Half a line may be there: the next write is a whole file.
      this.#isWhole = false
      throw error
    } finally {
      await file.close()
    }
  }

  #read(): string | undefined {
    try {
      return readFileSync(this.#path, 'utf8')
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (!isMissing) this.#onTrouble(`${this.#path} can not be read: ${String(error)}`)
      return undefined
    }
  }
}

interface FirstLine {
  readonly format?: string
  readonly base: ResourceImage['base']
  readonly documents: readonly (readonly [string, string])[]
}

function baseOf(line: string): Omit<ResourceImage, 'log'> | undefined {
  try {
    const { format, base, documents } = JSON.parse(line) as FirstLine
    return format === FORMAT ? { base, documents: new Map(documents) } : undefined
  } catch {
    return undefined
  }
}

function revisionOf(line: string): LoggedRevision | undefined {
  try {
    const revision = JSON.parse(line) as LoggedRevision
    return Array.isArray(revision.content) && typeof revision.revision === 'number' ? revision : undefined
  } catch {
    return undefined
  }
}
