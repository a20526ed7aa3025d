// SPDX-License-Identifier: MIT
// The digest folder's surface.
export * from './client.ts'
export * from './digest.ts'
export * from './nonce.ts'
