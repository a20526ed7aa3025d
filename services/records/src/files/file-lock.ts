// SPDX-License-Identifier: MIT
//
// One writer per file, also on a volume that several nodes mount: `<file>.lock` names its holder and is touched again and
// again. It is free when its holder's process on this machine is gone, or when it was not touched for `STALE_MS`.
// Race: two nodes that find the same stale lock. Each puts its own in place by rename, waits, and holds it only if it is
// still there. A holder that was stopped for longer than that finds another's lock at its next look and loses the file.
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const TOUCH_MS = 5_000
const STALE_MS = 30_000
const SETTLE_MS = 250

interface Holder {
  readonly host: string
  readonly pid: number
  readonly token: string
}

/** Of this process: its pid alone does not tell whether it holds a lock (in containers everybody is pid 1). */
const heldHere = new Set<string>()

export class FileLock {
  readonly #path: string
  readonly #token = randomBytes(8).toString('hex')
  readonly #onLost: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(file: string, onLost: () => void) {
    this.#path = resolve(`${file}.lock`)
    this.#onLost = onLost
  }

  /** False while another writer holds it. */
  async acquire(): Promise<boolean> {
    if (this.#timer !== undefined) return true
    if (heldHere.has(this.#path)) return false
    heldHere.add(this.#path)
    const isOurs = await this.#take().catch((error: unknown) => {
      heldHere.delete(this.#path)
      throw error
    })
    if (isOurs) this.#timer = setInterval(() => void this.#touch(), TOUCH_MS).unref()
    else heldHere.delete(this.#path)
    return isOurs
  }

  async release(): Promise<void> {
    if (this.#timer === undefined) return
    this.#end()
    if ((await this.#read())?.token === this.#token) await rm(this.#path, { force: true })
  }

  async #take(): Promise<boolean> {
    await mkdir(dirname(this.#path), { recursive: true })
    const holder: Holder = { host: hostname(), pid: process.pid, token: this.#token }
    const text = JSON.stringify(holder)
    try {
      await writeFile(this.#path, text, { flag: 'wx' })
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (!(await this.#isStale())) return false
    const own = `${this.#path}.${this.#token}`
    await writeFile(own, text)
    await rename(own, this.#path)
    await sleep(SETTLE_MS)
    return (await this.#read())?.token === this.#token
  }

  async #isStale(): Promise<boolean> {
    const file = await stat(this.#path).catch(() => undefined)
    if (file === undefined || Date.now() - file.mtimeMs > STALE_MS) return true
    const holder = await this.#read()
    return holder?.host === hostname() && (holder.pid === process.pid || !isAlive(holder.pid))
  }

  async #read(): Promise<Holder | undefined> {
    try {
      return JSON.parse(await readFile(this.#path, 'utf8')) as Holder
    } catch {
      return undefined
    }
  }

  async #touch(): Promise<void> {
    if ((await this.#read())?.token === this.#token) {
      const now = Date.now() / 1_000
      await utimes(this.#path, now, now).catch(() => undefined)
    } else if (this.#timer !== undefined) {
      this.#end()
      this.#onLost()
    }
  }

  #end(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    heldHere.delete(this.#path)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
