// SPDX-License-Identifier: MIT
// The event folder's surface.
export * from './watch-contact.ts'
