// SPDX-License-Identifier: MIT
//
// Readiness of a service that shares its dependencies with all others of its kind (the store, policy). They gate the first readiness only: a new
// process takes no work that it has never been able to do. Lost later, they are lost for all at once, and were every process to stop
// being ready, nobody would be left to say 503, to go on with the calls that are up, and to serve again in the moment that they are back.

/** @param shared asked until it was true once, at a time when `own` was true too */
export function gatedOnce(own: () => boolean, shared: () => boolean): () => boolean {
  let hasPassed = false
  return () => {
    if (!own()) return false
    hasPassed ||= shared()
    return hasPassed
  }
}
