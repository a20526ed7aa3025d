// SPDX-License-Identifier: MIT
// The build step of all that is C: `node build-addons.js [--require]`. Ends with 0 where an addon can't be built too, unless it is required.
import { buildAddon } from '@tandem/udp-batch'
import { buildSctpAddon } from './sctp/addon.ts'

const results = [
  { name: 'udp-batch', without: 'node:dgram takes over', result: buildAddon() },
  { name: 'sctp', without: 'edge.listeners.sctp can not be on', result: buildSctpAddon() },
]
for (const { name, without, result } of results) {
  if (result.state !== 'unavailable') continue
  console.error(`${name}: not built, ${without}: ${result.reason}`)
  if (process.argv.includes('--require')) process.exitCode = 1
}
