// SPDX-License-Identifier: MIT
//
// Static registrations: the contacts that subscribers have by configuration, for whoever locates addresses-of-record.
import { milliOf } from './contact.ts'
import type { Resource } from './resource.ts'
import { aorOf } from './subscriber.ts'

export interface StaticBinding {
  readonly uri: string
  /** 0 to 1000; 1000 where the resource says nothing. */
  readonly qMilli: number
  /** Values of Path, nearest proxy first: URIs without brackets. */
  readonly path: readonly string[]
}

/** By canonical address-of-record; subscribers without contacts are not in it. Highest q first. */
export function staticBindings(resources: readonly Resource[]): ReadonlyMap<string, readonly StaticBinding[]> {
  const bindings = new Map<string, readonly StaticBinding[]>()
  for (const resource of resources) {
    if (resource.kind !== 'Subscriber' || !resource.spec.contacts?.length) continue
    const list = resource.spec.contacts.map(({ uri, q = 1, path = [] }) => ({ uri, qMilli: milliOf(q), path }))
    bindings.set(aorOf(resource), Object.freeze(list.sort((a, b) => b.qMilli - a.qMilli)))
  }
  return bindings
}
