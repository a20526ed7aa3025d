// SPDX-License-Identifier: MIT
//
// 32 bits that stand for an edge id in tokens and Via parameters. Edges are few; a clash sends a request to the wrong edge,
// which has no such flow and answers 430.

const known = new Map<string, number>()
const MAX_KNOWN = 4096

/** FNV-1a over the id's UTF-16 code units. */
export function edgeHashOf(edgeId: string): number {
  const cached = known.get(edgeId)
  if (cached !== undefined) return cached
  let hash = 0x811c9dc5
  for (let i = 0; i < edgeId.length; i += 1) hash = Math.imul(hash ^ edgeId.charCodeAt(i), 0x01000193)
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(edgeId, hash >>> 0)
  return hash >>> 0
}
