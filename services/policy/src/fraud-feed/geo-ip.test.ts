// SPDX-License-Identifier: MIT
//
// Countries of addresses from a file, and what becomes of a file that changes, breaks, or is not there.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countryDatabase } from '@tandem/test-kit'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { GeoIp } from './geo-ip.ts'

let folder: string
let file: string
let geoIp: GeoIp
const logger = { info: vi.fn(), warn: vi.fn() }

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geoip-'))
  file = join(folder, 'country.mmdb')
  geoIp = new GeoIp(file, logger, 20)
  vi.clearAllMocks()
})
afterEach(async () => {
  geoIp.stop()
  await rm(folder, { recursive: true })
})

/** As a new version is put in place: at once. */
async function put(bytes: Buffer): Promise<void> {
  await writeFile(`${file}.new`, bytes)
  await rename(`${file}.new`, file)
}

const NETWORKS = [
  ['192.0.2.0/24', 'DE'],
  ['192.0.2.128/25', 'FR'],
  ['198.51.100.7/32', 'US'],
  ['2001:db8::/32', 'JP'],
] as const

test('an address has the country of its narrowest network, of either family', async () => {
  await put(countryDatabase(NETWORKS))
  await geoIp.start()
  const countries = ['192.0.2.1', '192.0.2.200', '198.51.100.7', '198.51.100.8', '2001:db8:1::1', '2001:db9::1']
  expect(countries.map((address) => geoIp.countryOf(address))).toEqual(['DE', 'FR', 'US', undefined, 'JP', undefined])
  expect(geoIp.countryOf('no address')).toBeUndefined()
  expect(geoIp.countryOf('')).toBeUndefined()
})

test('a changed file counts by itself, a broken one leaves the last good one in use and is said once', async () => {
  await put(countryDatabase(NETWORKS))
  await geoIp.start()
  expect(geoIp.countryOf('192.0.2.1')).toBe('DE')
  await put(countryDatabase([['192.0.2.0/24', 'AT']]))
  await vi.waitFor(() => expect(geoIp.countryOf('192.0.2.1')).toBe('AT'), 10_000)
  await put(Buffer.from('this is no database'))
  await vi.waitFor(() => expect(logger.warn).toHaveBeenCalled(), 10_000)
  expect(geoIp.countryOf('192.0.2.1')).toBe('AT')
  await put(countryDatabase([['192.0.2.0/24', 'CH']]))
  await vi.waitFor(() => expect(geoIp.countryOf('192.0.2.1')).toBe('CH'), 10_000)
  expect(logger.warn).toHaveBeenCalledTimes(1)
})

test('a file that is not there yet is said once, and taken when it comes', async () => {
  await geoIp.start()
  expect(geoIp.countryOf('192.0.2.1')).toBeUndefined()
  expect(geoIp.isReady).toBe(false)
  await put(countryDatabase(NETWORKS))
  await vi.waitFor(() => expect(geoIp.countryOf('192.0.2.1')).toBe('DE'), 10_000)
  expect(logger.warn).toHaveBeenCalledTimes(1)
})
