// SPDX-License-Identifier: MIT
//
// Writes each key into a file once, however often it is handed in: what memory can't tell is looked up in the file.
// What the sinks of files, the spool and the dead letters have in common. Calls are made one after the other.
import type { LineFile, LineKey } from './line-file.ts'
import { lineKey, WrittenKeys } from './written-keys.ts'

export interface KeyedLine extends LineKey {
  /** The line with its line feed. */
  readonly line: () => string
}

export class OnceWriter {
  readonly #file: LineFile
  readonly #written: WrittenKeys

  /** @param recentKeys keys that are remembered exactly */
  constructor(file: LineFile, recentKeys: number) {
    this.#file = file
    this.#written = new WrittenKeys(recentKeys)
  }

  /** Opens and recovers; returns the bytes of an unfinished line that were cut. */
  async open(): Promise<number> {
    this.#written.clear()
    const { cutBytes } = await this.#file.open((id, cdrId) => this.#written.add(id, cdrId))
    return cutBytes
  }

  /** On disk, each once, when it resolves with how many were new; none counts when it rejects. */
  async write(entries: readonly KeyedLine[]): Promise<number> {
    const fresh = this.#freshOf(entries, await this.#lookUp(entries))
    if (fresh.length === 0) return 0
    let lines = ''
    for (const entry of fresh) lines += entry.line()
    await this.#file.append(lines)
    for (const { id, cdrId } of fresh) this.#written.add(id, cdrId)
    return fresh.length
  }

  #freshOf(entries: readonly KeyedLine[], inFile: ReadonlySet<string>): KeyedLine[] {
    const keys = new Set(inFile)
    const fresh: KeyedLine[] = []
    for (const entry of entries) {
      const key = lineKey(entry.id, entry.cdrId)
      if (keys.has(key) || this.#written.presence(entry.id, entry.cdrId) === 'written') continue
      keys.add(key)
      fresh.push(entry)
    }
    return fresh
  }

  /** Keys that memory can't tell about and the file has. */
  async #lookUp(entries: readonly KeyedLine[]): Promise<ReadonlySet<string>> {
    const unsure = new Set<string>()
    for (const { id, cdrId } of entries) {
      if (this.#written.presence(id, cdrId) === 'unsure') unsure.add(lineKey(id, cdrId))
    }
    const found = new Set<string>()
    if (unsure.size === 0) return found
    await this.#file.search(
      (id, cdrId) => unsure.has(lineKey(id, cdrId)),
      (id, cdrId) => found.add(lineKey(id, cdrId)),
    )
    return found
  }
}
