// SPDX-License-Identifier: MIT
// A UDP listener: through the native batch addon where it can be had, else through node:dgram. Both are held by one contract
// (udp.test.ts), so that a user does not see which it is.
import { type LoadResult, loadAddon } from '@tandem/udp-batch'
import { listenError, TransportError } from './errors.ts'
import type { UdpListener } from './types.ts'
import { openBatchListener } from './udp-batch.ts'
import { openDgramListener } from './udp-dgram.ts'
import type { UdpOptions } from './udp-options.ts'

export type { UdpOptions } from './udp-options.ts'

/** Overwrites each datagram when its sink returns, in the whole process: how suites find who keeps offsets. */
const POISONED = process.env.TANDEM_UDP_POISON === '1'

/** Opens a UDP socket. Rejects with a TransportError whose message is a sentence for the user. */
export async function createUdpListener(options: UdpOptions, load: () => LoadResult = loadAddon): Promise<UdpListener> {
  const wanted = { poison: POISONED, ...options }
  const addon = options.batch === 'off' ? undefined : addonFor(options, load())
  try {
    return addon === undefined ? await openDgramListener(wanted) : openBatchListener(addon, wanted)
  } catch (error) {
    const { address, port, setting = 'its setting' } = options
    throw listenError(error as NodeJS.ErrnoException, { transport: 'udp', address, port, setting })
  }
}

function addonFor(options: UdpOptions, result: LoadResult) {
  if (result.addon !== undefined) return result.addon
  if (options.batch === 'require') {
    throw new TransportError('udpBatchUnavailable', `The UDP addon is required and not there: ${result.reason}.`)
  }
  options.onFallback?.(result.reason)
  return undefined
}
