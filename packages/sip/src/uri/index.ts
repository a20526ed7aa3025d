// SPDX-License-Identifier: MIT
// The uri folder's surface.
export * from './uri-view.ts'
