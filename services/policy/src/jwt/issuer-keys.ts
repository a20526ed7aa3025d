// SPDX-License-Identifier: MIT
//
// Public keys of those who issue tokens, one set for each domain that takes them. Their files are looked at again and again,
// because an issuer changes its keys while we run: a set that was replaced counts from the next look on, one that can not be read
// changes nothing and is complained of once. Looking, not watching: mounted volumes are exchanged behind a link, of which no watch
// tells.
// Race: a token is judged with the keys that were there when it came.
import { stat } from 'node:fs/promises'
import { type KeySet, type KeySetFiles, readKeySet } from '@tandem/resources'
import type { Logger } from '@tandem/service-kit'
import { createLocalJWKSet, type LocalJWKSet } from 'jose'
import type { PolicyCounts } from '../counts.ts'

interface IssuerOptions {
  readonly counts: PolicyCounts
  readonly logger: Pick<Logger, 'info' | 'warn'>
  readonly pollMs: number
}

interface Issuer {
  readonly path: string
  /** What the file looked like when it was read last; '' before the first look. */
  mark: string
  keys: LocalJWKSet
}

/** Changes whenever the file does; '' where it can't be found. */
async function markOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path)
    return `${mtimeMs} ${size} ${ino}`
  } catch {
    return ''
  }
}

const resolverOf = ({ keys }: KeySet): LocalJWKSet =>
  createLocalJWKSet({ keys: keys.map((key) => ({ ...key })) } as Parameters<typeof createLocalJWKSet>[0])

export class IssuerKeys {
  readonly #options: IssuerOptions
  #issuers: ReadonlyMap<string, Issuer>
  #timer: NodeJS.Timeout | undefined
  #looking = false

  constructor(files: KeySetFiles | undefined, options: IssuerOptions) {
    this.#options = options
    this.#issuers = issuersOf(files)
  }

  /** The keys whose signatures count in a domain; undefined where none do. */
  of(domain: string): LocalJWKSet | undefined {
    return this.#issuers.get(domain)?.keys
  }

  /** Takes the sets of other resources. */
  replace(files: KeySetFiles | undefined): void {
    this.#issuers = issuersOf(files)
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#options.pollMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Looks at all files; by itself once started. */
  async look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      for (const issuer of this.#issuers.values()) await this.#lookAt(issuer)
    } finally {
      this.#looking = false
    }
  }

  async #lookAt(issuer: Issuer): Promise<void> {
    const mark = await markOf(issuer.path)
    if (mark === issuer.mark) return
    issuer.mark = mark
    const set = await readKeySet(issuer.path)
    const { counts, logger } = this.#options
    if ('keys' in set) {
      issuer.keys = resolverOf(set)
      counts.keySetsRead++
      logger.info({ file: issuer.path, keys: set.keys.length }, 'keys of a token issuer were read')
      return
    }
    counts.keySetsBroken++
    logger.warn(
      { file: issuer.path, expected: set.expected },
      'keys of a token issuer can not be read; the last ones stay',
    )
  }
}

function issuersOf(files: KeySetFiles | undefined): Map<string, Issuer> {
  const issuers = new Map<string, Issuer>()
  for (const [domain, { path, set }] of files ?? []) issuers.set(domain, { path, mark: '', keys: resolverOf(set) })
  return issuers
}
