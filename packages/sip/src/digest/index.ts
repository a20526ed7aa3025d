// SPDX-License-Identifier: MIT
// The digest folder's surface.
export * from './digest.ts'
export * from './nonce.ts'
