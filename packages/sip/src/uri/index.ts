// SPDX-License-Identifier: MIT
// The uri folder's surface.
export * from './uri.ts'
export * from './uri-compare.ts'
export * from './uri-view.ts'
