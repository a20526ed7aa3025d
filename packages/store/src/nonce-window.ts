// SPDX-License-Identifier: MIT
// Nonce counts are accepted once, in any order within this window below the highest that was seen, and never below it.
// So one nonce costs at most this many counts [RFC7616-3.4 nc].

export const NONCE_WINDOW = 64
/** What is kept of the transaction that used a count. */
export const NONCE_USER_BYTES = 8
