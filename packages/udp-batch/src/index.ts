// SPDX-License-Identifier: MIT
// UDP sockets that read and write many datagrams per system call: the native addon, its build and its types. The helper that builds and
// loads it serves other packages' addons too (packages/transport/native).
export type { AddonSocket, AddonSocketOptions, UdpBatchAddon } from './addon.ts'
export type { BuildResult } from './build.ts'
export { buildAddon } from './build.ts'
export { ADDRESS_WORDS, CONTROL, COUNTER, COUNTERS, RECEIVED, TO_SEND, wordsBytes } from './layout.ts'
export type { AddonOf, LoadResult } from './load.ts'
export { loadAddon, loadNative } from './load.ts'
export type { Place } from './place.ts'
export { placeOf } from './place.ts'
