// SPDX-License-Identifier: MIT
//
// The cache of an edge, where it has a watch to go by and the setting wants one.

import type { EdgeConfig } from '@tandem/service-kit'
import { edgeHashOf } from '../membership/edge-hash.ts'
import type { Membership } from '../membership/membership.ts'
import type { EdgeServiceOptions } from '../options.ts'
import { LocationCache } from './location-cache.ts'

export function createLocationCache(
  { config, location, locationWatch }: EdgeServiceOptions,
  membership: Pick<Membership, 'find'>,
  now: () => number,
): LocationCache | undefined {
  const { mode, ...bounds }: EdgeConfig['locationCache'] = config.locationCache
  if (locationWatch === undefined || mode === 'off') return undefined
  const cache = new LocationCache({
    ...bounds,
    now,
    isMember: (edgeId) => membership.find(edgeHashOf(edgeId))?.id === edgeId,
    ask: (aor, onResult, trace) => location.call('locate', { aor }, config.rpc.timeoutMs, onResult, trace),
  })
  locationWatch.start(cache)
  return cache
}
