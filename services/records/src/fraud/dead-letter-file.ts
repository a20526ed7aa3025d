// SPDX-License-Identifier: MIT
//
// Events that the webhook's receiver never took: one JSON object a line, synced to disk, with the reason. At its bound the
// file becomes `.1`, and the one before that is gone.
import { mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

export class DeadLetterFile {
  readonly path: string
  readonly #maxBytes: number
  #serial: Promise<unknown> = Promise.resolve()

  constructor(path: string, maxBytes: number) {
    this.path = path
    this.#maxBytes = maxBytes
  }

  /** On disk when it resolves; rejects where it can't be. */
  add(line: object): Promise<void> {
    const added = this.#serial.then(() => this.#append(`${JSON.stringify(line)}\n`))
    this.#serial = added.catch(() => undefined)
    return added
  }

  async #append(text: string): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true })
    const found = await stat(this.path).catch(() => undefined)
    if (found !== undefined && found.size + text.length > this.#maxBytes) await rename(this.path, `${this.path}.1`)
    const file = await open(this.path, 'a')
    try {
      await file.appendFile(text)
      await file.datasync()
    } finally {
      await file.close()
    }
  }
}
