// SPDX-License-Identifier: MIT
//
// Who changed what: one JSON object a line, appended to a file that rotates by size, or to standard output. A change is made only where its
// line can be written. Lines are written one after the other; one that fails is an error of the request, and counted.
// Race: none between requests (one queue); another process that writes the same file may rotate it a second time, which loses nothing.
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface AuditEntry {
  /** ISO 8601. */
  readonly time: string
  /** Name of the token. */
  readonly who: string
  readonly role: string
  readonly source: string
  /** `rest` or `grpc`. */
  readonly by: string
  readonly method: string
  /** The request without texts of documents. */
  readonly what: object
  /** `done`, or the code of the error. */
  readonly outcome: string
  /** Revision of the resources after it; 0 where it changes none. */
  readonly revision: number
  readonly ms: number
}

export interface AuditLog {
  /** Rejects where no line could be written now. */
  check(): Promise<void>
  write(entry: AuditEntry): Promise<void>
  readonly counts: { readonly lines: number; readonly failures: number }
}

export interface AuditOptions {
  /** `-` for standard output, '' for none. */
  readonly file: string
  readonly maxBytes: number
  /** Rotated files that are kept. */
  readonly keepFiles: number
}

class FileAudit implements AuditLog {
  readonly counts = { lines: 0, failures: 0 }
  readonly #options: AuditOptions
  #queue: Promise<unknown> = Promise.resolve()

  constructor(options: AuditOptions) {
    this.#options = options
  }

  check(): Promise<void> {
    return this.#inTurn(() => this.#append(''))
  }

  write(entry: AuditEntry): Promise<void> {
    return this.#inTurn(async () => {
      await this.#append(`${JSON.stringify(entry)}\n`)
      this.counts.lines++
      await this.#rotate()
    })
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(act)
    this.#queue = done.catch(() => {
      this.counts.failures++
    })
    return done
  }

  async #append(text: string): Promise<void> {
    const { file } = this.#options
    await mkdir(dirname(file), { recursive: true })
    const handle = await open(file, 'a', 0o640)
    try {
      if (text !== '') await handle.writeFile(text)
    } finally {
      await handle.close()
    }
  }

  async #rotate(): Promise<void> {
    const { file, maxBytes, keepFiles } = this.#options
    if (maxBytes === 0 || (await stat(file)).size < maxBytes) return
    await rename(file, `${file}.${new Date().toISOString().replaceAll(/[-:.]/g, '')}`)
    const former = (await readdir(dirname(file))).filter((name) => name.startsWith(`${basename(file)}.`)).sort()
    for (const name of former.slice(0, Math.max(0, former.length - keepFiles)))
      await rm(join(dirname(file), name), { force: true })
  }
}

class StreamAudit implements AuditLog {
  readonly counts = { lines: 0, failures: 0 }

  check(): Promise<void> {
    return Promise.resolve()
  }

  write(entry: AuditEntry): Promise<void> {
    this.counts.lines++
    return new Promise((resolve) => process.stdout.write(`${JSON.stringify(entry)}\n`, () => resolve()))
  }
}

const NONE: AuditLog = {
  counts: { lines: 0, failures: 0 },
  check: () => Promise.resolve(),
  write: () => Promise.resolve(),
}

export function createAuditLog(options: AuditOptions): AuditLog {
  if (options.file === '') return NONE
  return options.file === '-' ? new StreamAudit() : new FileAudit(options)
}
