// SPDX-License-Identifier: MIT
// The hash of a client transaction. A branch of ours ends in a keyed proof (proxy/branch.ts), so its last characters are as good as random and
// nobody outside can choose them: they are the hash, and no string is hashed or moved about.

const HASHED = 6
const { charCodeAt } = String.prototype

/** Of the branch buf[start, end). */
export const hashOfBytes = (buf: Uint8Array, start: number, end: number): number => {
  let hash = 0
  for (let i = Math.max(start, end - HASHED); i < end; i++) hash = (Math.imul(hash, 67) + (buf[i] as number)) | 0
  return hash
}

/** The same of a branch as text. */
export const hashOfText = (branch: string): number => {
  const end = branch.length
  let hash = 0
  for (let i = Math.max(0, end - HASHED); i < end; i++) hash = (Math.imul(hash, 67) + charCodeAt.call(branch, i)) | 0
  return hash
}
