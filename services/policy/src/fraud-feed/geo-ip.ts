// SPDX-License-Identifier: MIT
//
// Countries of IP addresses from a file in MaxMind's format (GeoLite2-Country, GeoIP2-City, DB-IP and others have it). The
// file is looked at every few seconds and read anew when it has changed; one that can't be read leaves the last good one
// in use. Lookups are synchronous and remembered.
import { readFile, stat } from 'node:fs/promises'
import type { Logger } from '@tandem/service-kit'
import { type CountryResponse, Reader } from 'maxmind'

const LOOK_MS = 10_000
/** Stops a file that is none of these. */
const MAX_BYTES = 1024 * 1024 * 1024
const REMEMBERED = 10_000

export class GeoIp {
  readonly #file: string
  readonly #logger: Pick<Logger, 'info' | 'warn'>
  readonly #lookMs: number
  #reader: Reader<CountryResponse> | undefined
  #known = new Map<string, string | undefined>()
  #seen = ''
  #complaint = ''
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(file: string, logger: Pick<Logger, 'info' | 'warn'>, lookMs = LOOK_MS) {
    this.#file = file
    this.#logger = logger
    this.#lookMs = lookMs
  }

  /** Whether there is a file in use. */
  get isReady(): boolean {
    return this.#reader !== undefined
  }

  /** Two letters of ISO 3166; undefined where the file does not say, or is not there. */
  countryOf(address: string): string | undefined {
    if (this.#reader === undefined) return undefined
    if (this.#known.has(address)) return this.#known.get(address)
    const country = this.#lookUp(address)
    if (this.#known.size >= REMEMBERED) this.#known = new Map()
    this.#known.set(address, country)
    return country
  }

  /** Reads the file, then looks after it. A file that is not there yet is taken when it comes. */
  async start(): Promise<void> {
    await this.#look()
    this.#schedule()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => void this.#look().then(() => this.#schedule()), this.#lookMs)
    this.#timer.unref()
  }

  /** The country that the address is in, else that where its network is registered. */
  #lookUp(address: string): string | undefined {
    try {
      const found = this.#reader?.get(address)
      return found?.country?.iso_code ?? found?.registered_country?.iso_code
    } catch {
      return undefined
    }
  }

  async #look(): Promise<void> {
    try {
      const { size, mtimeMs, ino } = await stat(this.#file)
      const seen = `${size} ${mtimeMs} ${ino}`
      if (seen === this.#seen) return
      this.#seen = seen
      if (size > MAX_BYTES) throw new RangeError(`it has ${size} bytes`)
      this.#take(new Reader<CountryResponse>(await readFile(this.#file)))
    } catch (error) {
      this.#complain(error instanceof Error ? error.message : String(error))
    }
  }

  #take(reader: Reader<CountryResponse>): void {
    this.#reader = reader
    this.#known = new Map()
    this.#complaint = ''
    const { databaseType: type, buildEpoch: built } = reader.metadata
    this.#logger.info({ file: this.#file, type, built }, 'GeoIP file read')
  }

  /** Once for each trouble in a row. */
  #complain(why: string): void {
    if (this.#complaint === why) return
    this.#complaint = why
    this.#logger.warn({ file: this.#file, why, inUse: this.isReady }, 'the GeoIP file can not be read')
  }
}
