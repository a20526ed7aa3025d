// SPDX-License-Identifier: MIT
// The message folder's surface: what the other folders of this package and the package's index import.
export * from './build.ts'
export * from './cursor.ts'
export * from './edits.ts'
export * from './framing.ts'
export * from './header-ids.ts'
export * from './latin1.ts'
export * from './message.ts'
export * from './method-ids.ts'
export * from './scan.ts'
export * from './text-at.ts'
