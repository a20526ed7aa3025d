// SPDX-License-Identifier: MIT
//
// What changes from one set of resources to another, by key and content.
import { type Resource, resourceKey } from './resource.ts'
import { resourceHash } from './revision.ts'

/** Keys (`Kind/domain/name`), each list sorted. */
export interface ResourceDiff {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
}

function hashesByKey(resources: readonly Resource[]): Map<string, string> {
  return new Map(resources.map((resource) => [resourceKey(resource), resourceHash(resource)]))
}

export function diffResources(before: readonly Resource[], after: readonly Resource[]): ResourceDiff {
  const old = hashesByKey(before)
  const next = hashesByKey(after)
  const added = [...next.keys()].filter((key) => !old.has(key))
  const removed = [...old.keys()].filter((key) => !next.has(key))
  const changed = [...next.keys()].filter((key) => old.has(key) && old.get(key) !== next.get(key))
  return { added: added.sort(), removed: removed.sort(), changed: changed.sort() }
}
