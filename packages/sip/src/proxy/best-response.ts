// SPDX-License-Identifier: MIT
//
// Which of several final responses goes upstream (RFC 3261 section 16.7, step 6), as a rank over status codes.
// Leaves out the merging of challenges of several branches (step 7).

const WORST = 1_000_000

/**
 * Rank of a final status; the lowest rank is the best response.
 * A 6xx beats everything but a 2xx; then the lower class wins; inside a class a response that a caller can act
 * upon wins; a 503 is the last choice of all, for it speaks of one server only.
 *
 * @param status 200 to 699
 * @source RFC 3261 section 16.7 step 6
 */
export function rankResponse(status: number): number {
  if (status < 300) return 0
  if (status >= 600) return 1_000 + status // [RFC3261-16.7.6] a 6xx is chosen when there is one
  if (status === 503) return WORST // [RFC3261-16.7.6] avoided where there is another
  if (status === 430) return WORST - 1 // a flow that failed says nothing of the user
  const klass = Math.floor(status / 100)
  return klass * 10_000 + (ACTIONABLE.has(status) ? 0 : 5_000) + (status === 408 ? 4_000 : status % 100)
}

// [RFC3261-16.7.6] "responses that provide information affecting resubmission of this request"
const ACTIONABLE: ReadonlySet<number> = new Set([401, 407, 415, 420, 484])

/** The status that goes up for a chosen one: neither a 503 of one server nor a flow of ours that failed is the caller's concern. */
export function upstreamStatus(status: number): number {
  if (status === 430) return 480
  return status === 503 ? 500 : status // [RFC3261-16.7.6]
}
