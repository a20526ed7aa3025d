// SPDX-License-Identifier: MIT
// What the suites of UDP share: listeners that remember what they saw. Not part of the package's doors.
import { buildAddon, loadAddon, type UdpBatchAddon } from '@tandem/udp-batch'
import type { UdpListener } from './types.ts'
import { createUdpListener } from './udp.ts'
import { type BatchListener, type BatchSizes, openBatchListener } from './udp-batch.ts'
import type { UdpOptions } from './udp-options.ts'

export interface Seen {
  readonly text: string
  readonly address: string
  readonly port: number
}

export interface Opened<L extends UdpListener = UdpListener> {
  readonly listener: L
  readonly seen: Seen[]
  /** Resolves when so many datagrams have been seen in all. */
  waitFor(count: number): Promise<void>
}

/** The addon, built where it was not; or why not. */
export function addonOrReason(): UdpBatchAddon | string {
  buildAddon()
  const { addon, ...missing } = loadAddon()
  return addon ?? (missing as { reason: string }).reason
}

type Given = Partial<UdpOptions>

function recorder(onDatagram?: UdpOptions['sink']['onDatagram']) {
  const seen: Seen[] = []
  let wake = (): void => {}
  const sink: UdpOptions['sink'] = {
    onDatagram(buf, start, end, address, port, listener): void {
      seen.push({ text: buf.toString('latin1', start, end), address, port })
      wake()
      onDatagram?.(buf, start, end, address, port, listener)
    },
  }
  const waitFor = async (count: number): Promise<void> => {
    while (seen.length < count) await new Promise<void>((resolve) => (wake = resolve))
  }
  return { seen, sink, waitFor }
}

const DEFAULTS = { address: '127.0.0.1', port: 0, setting: '--base-port', poison: true }

export async function openListener(given: Given = {}, onDatagram?: UdpOptions['sink']['onDatagram']): Promise<Opened> {
  const { seen, sink, waitFor } = recorder(onDatagram)
  return { listener: await createUdpListener({ ...DEFAULTS, sink, ...given }), seen, waitFor }
}

/** The addon with sizes of the test's own. */
export function openBatch(addon: UdpBatchAddon, given: Given = {}, sizes?: BatchSizes): Opened<BatchListener> {
  const { seen, sink, waitFor } = recorder()
  return { listener: openBatchListener(addon, { ...DEFAULTS, sink, ...given }, sizes), seen, waitFor }
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
