// SPDX-License-Identifier: MIT
// Loads the addon where it was built for this Node. It never starts a compiler: a service runs what its build made.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { UdpBatchAddon } from './addon.ts'
import { LAYOUT_VERSION } from './layout.ts'
import { type Place, placeOf } from './place.ts'

export type LoadResult =
  | { readonly addon: UdpBatchAddon }
  /** Part of a sentence: why node:dgram has to do. */
  | { readonly addon: undefined; readonly reason: string }

let loaded: LoadResult | undefined

/** The addon, looked for once a process. */
export function loadAddon(): LoadResult {
  loaded ??= loadFrom(placeOf())
  return loaded
}

/** The same from a given place, each time. Never throws. */
export function loadFrom(place: Place, platform: string = process.platform): LoadResult {
  if (platform !== 'linux') return { addon: undefined, reason: 'this is not Linux' }
  if (place.file === undefined || !existsSync(place.file)) return { addon: undefined, reason: notBuilt(place) }
  try {
    const addon = createRequire(import.meta.url)(place.file) as UdpBatchAddon
    if (addon.layout === LAYOUT_VERSION) return { addon }
    return { addon: undefined, reason: `it was built for layout ${addon.layout}, not ${LAYOUT_VERSION}` }
  } catch (error) {
    return { addon: undefined, reason: `it can't be loaded: ${(error as Error).message}` }
  }
}

function notBuilt(place: Place): string {
  if (!existsSync(place.reasonFile)) return 'it was not built (npm run build)'
  return `it was not built: ${readFileSync(place.reasonFile, 'utf8')}`
}
