// SPDX-License-Identifier: MIT
//
// `tandem drain`: tells an edge that is connected here to go. Edges have a stream to every policy node.
import { done, type policy, type Result } from '@tandem/rpc'
import type { PolicyContext } from './context.ts'

/** @returns whom it was told to; by a name alone every incarnation of it, of which one lives. */
export function drainEdge(
  { pushes }: PolicyContext,
  { edge }: policy.DrainEdgeRequest,
): Result<policy.DrainEdgeResponse> {
  const edges = pushes.peers().filter((peer) => edge !== '' && (peer === edge || nameOf(peer) === edge))
  for (const peer of edges) pushes.sendTo(peer, { event: { $case: 'drain', value: {} } })
  return done({ edges })
}

/** An id is a name, a dot and an incarnation. */
function nameOf(peer: string): string {
  const dot = peer.lastIndexOf('.')
  return dot < 0 ? peer : peer.slice(0, dot)
}
