// SPDX-License-Identifier: MIT
//
// One kept answer to Locate: how long it holds, which edges it depends on, what it weighs.

import type { Done, location } from '@tandem/rpc'

export interface Entry {
  readonly aor: string
  readonly result: Done<location.LocateResponse>
  /** When it was asked for: what it says is no older. */
  readonly sinceMs: number
  readonly untilMs: number
  /** Edges that hold a connection of a binding, each once. */
  readonly edges: readonly string[]
  readonly bytes: number
}

/** Objects of an entry and of each of its bindings, without their texts. */
const ENTRY_BYTES = 320
const BINDING_BYTES = 480
const TEXT_BYTES = 16

export function entryOf(aor: string, result: Done<location.LocateResponse>, sinceMs: number, maxAgeMs: number): Entry {
  const { bindings } = result.value
  let untilMs = sinceMs + maxAgeMs
  let bytes = ENTRY_BYTES + aor.length
  const edges: string[] = []
  for (const binding of bindings) {
    // Seconds left are rounded up; the store looked later than it was asked.
    untilMs = Math.min(untilMs, sinceMs + (binding.expiresS - 1) * 1000)
    const edgeId = binding.flow?.edgeId ?? ''
    if (edgeId !== '' && !edges.includes(edgeId)) edges.push(edgeId)
    bytes += bytesOf(binding)
  }
  return { aor, result, sinceMs, untilMs, edges, bytes }
}

function bytesOf(binding: location.Binding): number {
  const { uri, callId, instanceId, params, userAgent, path, flow } = binding
  let bytes = BINDING_BYTES + uri.length + callId.length + instanceId.length + params.length + userAgent.length
  for (const hop of path) bytes += TEXT_BYTES + hop.length
  if (flow !== undefined) bytes += flow.address.length + flow.edgeId.length + (flow.natEdge?.length ?? 0)
  return bytes
}

/** With what is left of the bindings now, for who tells it on. */
export function aged(response: location.LocateResponse, ageMs: number): location.LocateResponse {
  const passedS = Math.floor(ageMs / 1000)
  if (passedS <= 0) return response
  const bindings = response.bindings.map((one) =>
    one.isStatic === true ? one : { ...one, expiresS: Math.max(0, one.expiresS - passedS) },
  )
  return { ...response, bindings }
}
