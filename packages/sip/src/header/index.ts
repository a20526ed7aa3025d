// SPDX-License-Identifier: MIT
// The header folder's surface.
export * from './name-addr-view.ts'
export * from './param-cursor.ts'
export * from './via.ts'
