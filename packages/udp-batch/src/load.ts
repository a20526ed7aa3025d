// SPDX-License-Identifier: MIT
// Loads the addon where it was built for this Node. It never starts a compiler: a service runs what its build made.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { UdpBatchAddon } from './addon.ts'
import { LAYOUT_VERSION } from './layout.ts'
import { type Place, placeOf } from './place.ts'

/** An addon, or part of a sentence: why it is not there. */
export type AddonOf<T> = { readonly addon: T } | { readonly addon: undefined; readonly reason: string }

export type LoadResult = AddonOf<UdpBatchAddon>

let loaded: LoadResult | undefined

/** The addon, looked for once a process. */
export function loadAddon(): LoadResult {
  loaded ??= loadFrom(placeOf())
  return loaded
}

/** The same from a given place, each time. Never throws. */
export function loadFrom(place: Place, platform?: string): LoadResult {
  const result = loadNative<UdpBatchAddon>(place, platform)
  if (result.addon === undefined || result.addon.layout === LAYOUT_VERSION) return result
  return { addon: undefined, reason: `it was built for layout ${result.addon.layout}, not ${LAYOUT_VERSION}` }
}

/** Any addon that buildAddon builds. Never throws; that it has the functions of T is its sources' word. */
export function loadNative<T>(place: Place, platform: string = process.platform): AddonOf<T> {
  if (platform !== 'linux') return { addon: undefined, reason: 'this is not Linux' }
  if (place.file === undefined || !existsSync(place.file)) return { addon: undefined, reason: notBuilt(place) }
  try {
    return { addon: createRequire(import.meta.url)(place.file) as T }
  } catch (error) {
    return { addon: undefined, reason: `it can't be loaded: ${(error as Error).message}` }
  }
}

function notBuilt(place: Place): string {
  if (!existsSync(place.reasonFile)) return 'it was not built (npm run build)'
  return `it was not built: ${readFileSync(place.reasonFile, 'utf8')}`
}
