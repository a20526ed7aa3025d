// SPDX-License-Identifier: MIT
//
// What tests need to run an edge on listeners and a clock of their own. Not for products.
export type { EdgeCore } from './core.ts'
export { Facing } from './listeners/facing.ts'
export { type Listeners, UdpSource } from './listeners/listeners.ts'
export { streamPeer } from './listeners/peers.ts'
export { LocationCache } from './location-cache/location-cache.ts'
export { edgeHashOf } from './membership/edge-hash.ts'
export { Receiver } from './receive.ts'
export { EDGE_REFUSALS } from './refusals.ts'
export {
  bindingOf,
  EdgeBench,
  edgeOf,
  messageOf,
  requestText,
  responseTo,
  stepOf,
  targetOf,
  wordOf,
} from './testing.ts'
export { createEdgeCore, type EdgeEnvironment } from './wiring.ts'
