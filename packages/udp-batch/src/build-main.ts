// SPDX-License-Identifier: MIT
// The build step: `node build-main.js [--require]`. Ends with 0 where the addon can't be built too, unless it is required.
import { buildAddon } from './build.ts'

const result = buildAddon()
if (result.state === 'unavailable') {
  console.error(`udp-batch: not built, node:dgram takes over: ${result.reason}`)
  process.exitCode = process.argv.includes('--require') ? 1 : 0
}
