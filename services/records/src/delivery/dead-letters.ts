// SPDX-License-Identifier: MIT
//
// What a sink will never take, or the spool had no room for: one line each, once, with the reason, in a file that is
// rotated and bounded. Lines have the spool's form, so that a file can be handed in again (docs/sinks.md).
import { parseLineKey } from '../encode-line.ts'
import { LineFile } from '../files/line-file.ts'
import { OnceWriter } from '../files/once-writer.ts'
import type { Refusal } from '../sinks/sink.ts'
import { encodeSpoolLine } from './spool-line.ts'

export interface DeadLetterOptions {
  readonly file: string
  /** Of one file. */
  readonly maxBytes: number
  /** Full files that are kept beside it; beyond it the oldest goes. */
  readonly keepFiles: number
  readonly recentKeys: number
}

export class DeadLetters {
  readonly path: string
  readonly #file: LineFile
  readonly #writer: OnceWriter
  #serial: Promise<unknown> = Promise.resolve()

  constructor({ file, maxBytes, keepFiles, recentKeys }: DeadLetterOptions) {
    const rotation = { maxBytes, every: 'never', keepFiles, keepMs: 0, gzip: false } as const
    this.path = file
    this.#file = new LineFile(file, { header: '', keyOf: parseLineKey }, { rotation })
    this.#writer = new OnceWriter(this.#file, recentKeys)
  }

  /** On disk when it resolves with how many were new. */
  add(letters: readonly Refusal[]): Promise<number> {
    const added = this.#serial.then(() => this.#write(letters))
    this.#serial = added.catch(() => undefined)
    return added
  }

  async close(): Promise<void> {
    await this.#serial
    await this.#file.close()
  }

  async #write(letters: readonly Refusal[]): Promise<number> {
    if (letters.length === 0) return 0
    if (!this.#file.isOpen) await this.#writer.open()
    return this.#writer.write(
      letters.map(({ item, reason }) => ({
        id: item.id,
        cdrId: item.record.cdrId,
        line: () => encodeSpoolLine(item, reason),
      })),
    )
  }
}
