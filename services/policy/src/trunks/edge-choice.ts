// SPDX-License-Identifier: MIT
//
// Which edge sends a request of ours: the same one for the same work, as long as it lives; after a command that nobody answered the next one.
import { shardOf } from '@tandem/store'

/** Without incarnation. */
export const edgeName = (peer: string): string =>
  peer.slice(0, peer.lastIndexOf('.') < 0 ? peer.length : peer.lastIndexOf('.'))

/**
 * @param wanted name of the edge that did it last; '' for none
 * @param passedOver how many edges have not answered
 * @returns undefined: no edge has a stream here
 */
export function edgeFor(
  peers: readonly string[],
  work: string,
  wanted: string,
  passedOver: number,
): string | undefined {
  if (peers.length === 0) return undefined
  const sorted = [...peers].sort()
  const known = sorted.findIndex((peer) => edgeName(peer) === wanted)
  const start = known >= 0 ? known : shardOf(work) % sorted.length
  return sorted[(start + passedOver) % sorted.length]
}
