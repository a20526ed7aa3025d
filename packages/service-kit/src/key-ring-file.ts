// SPDX-License-Identifier: MIT
//
// The key ring in a file of its own (`cluster.secretsFile`), which may be exchanged while the process runs: a change is read within a few seconds, also
// where the file is a link that is swapped, as in a mounted Secret. A file that can't be read or is no ring changes nothing: that is logged once, and counted.
// Its contents never reach a log.
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse } from 'yaml'
import { keyRingSchema } from './config/schema/key-ring.ts'
import type { KeyRing } from './config/views.ts'
import type { Logger } from './logger.ts'

export interface KeyRingFollowerOptions {
  readonly file: string
  /** What is in use. */
  readonly ring: KeyRing
  readonly logger: Pick<Logger, 'info' | 'error'>
  /** Takes another ring into use. Must not throw. */
  readonly use: (ring: KeyRing) => void
  readonly pollMs?: number
}

const POLL_MS = 2_000
/** For so long a file must not change. */
const STILL_MS = 50

/** undefined: no key ring. JSON or YAML: a list of `{ id, secret }`. */
export function parseKeyRing(text: string): KeyRing | undefined {
  try {
    return keyRingSchema.safeParse(parse(text)).data
  } catch {
    return undefined
  }
}

export class KeyRingFollower {
  readonly #options: KeyRingFollowerOptions
  #inUse: KeyRing
  #refused = ''
  #timer: NodeJS.Timeout | undefined
  readonly counts = { changes: 0, failures: 0 }

  constructor(options: KeyRingFollowerOptions) {
    this.#options = options
    this.#inUse = options.ring
  }

  /** Ids in the order of the ring: the first signs. */
  get ids(): readonly number[] {
    return this.#inUse.map(({ id }) => id)
  }

  start(): void {
    const { pollMs = POLL_MS } = this.#options
    const again = (): void => {
      this.#timer = setTimeout(() => void this.look().then(again), pollMs)
      this.#timer.unref()
    }
    again()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Reads the file once. */
  async look(): Promise<void> {
    const { file, logger, use } = this.#options
    const text = await readFile(file, 'utf8').catch(() => '')
    const ring = parseKeyRing(text)
    if (ring === undefined) return this.#refuse(text)
    this.#refused = ''
    if (isSameRing(ring, this.#inUse) || (await isBeingWritten(file, text))) return
    this.#inUse = ring
    this.counts.changes += 1
    use(ring)
    logger.info({ keys: this.ids, signs: ring[0]?.id }, 'another key ring is in use')
  }

  #refuse(text: string): void {
    const what =
      text === ''
        ? 'unreadable or empty'
        : 'not a list of { id, secret }, each id once, each secret at least 16 characters'
    if (this.#refused === what) return
    this.#refused = what
    this.counts.failures += 1
    const { file, logger } = this.#options
    logger.error({ file, keys: this.ids }, `the key ring's file is ${what}: the ring of before stays in use`)
  }
}

/** A file that is written in place may have been read half-way, and half a list is a list. It is read again with the next look. */
async function isBeingWritten(file: string, text: string): Promise<boolean> {
  await sleep(STILL_MS)
  return (await readFile(file, 'utf8').catch(() => '')) !== text
}

function isSameRing(a: KeyRing, b: KeyRing): boolean {
  return a.length === b.length && a.every(({ id, secret }, k) => id === b[k]?.id && secret === b[k]?.secret)
}
