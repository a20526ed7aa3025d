// SPDX-License-Identifier: MIT
//
// Which messages go to a HEP collector: all, a share of the calls, those of some sources, or what filters ask for at run time (filters.ts).

import type { BlockList } from 'node:net'
import type { EdgeConfig, Logger } from '@tandem/service-kit'
import { isWithin, networksOf } from './filters.ts'
import { type HepLink, hepPlaceOf, openHepLink } from './hep-link.ts'
import { encodeHep, type HepEnd } from './hep-packet.ts'
import { callIdOf, methodOf } from './message-marks.ts'
import { redact } from './redact.ts'
import type { TappedMessage } from './tap.ts'

export class HepMirror {
  readonly #config: EdgeConfig['hep']
  readonly #link: HepLink
  readonly #networks: BlockList | undefined
  readonly #leftOut: ReadonlySet<string>
  readonly #node: string
  readonly #key: string
  sent = 0
  dropped = 0

  constructor(config: EdgeConfig['hep'], node: string, logger: Logger) {
    this.#config = config
    this.#node = node
    this.#key = process.env[config.authKeyEnv] ?? ''
    this.#networks = config.sources.length === 0 ? undefined : networksOf(config.sources)
    this.#leftOut = new Set(config.leaveOut)
    const { transport, maxQueueBytes } = config
    this.#link = openHepLink({ ...hepPlaceOf(config.address), transport, maxQueueBytes, logger })
  }

  /** @param isAskedFor a filter wants it, whatever the configuration says */
  take(message: TappedMessage, isAskedFor: boolean): void {
    const { buf, start, end } = message
    const callId = callIdOf(buf, start, end)
    if (!isAskedFor && !this.#wants(message, callId)) return
    const bytes = Buffer.from(buf.subarray(start, end))
    const near = nearOf(message)
    const far = { address: message.address, port: message.port }
    const packet = encodeHep({
      from: message.isSent ? near : far,
      to: message.isSent ? far : near,
      transport: message.facing.transport,
      atMs: message.atMs,
      agent: this.#config.captureId,
      node: this.#node,
      key: this.#key,
      correlation: callId,
      bytes: this.#config.redact ? redact(bytes) : bytes,
    })
    if (packet !== undefined && this.#link.send(packet)) this.sent += 1
    else this.dropped += 1
  }

  #wants({ address, buf, start, end }: TappedMessage, callId: string): boolean {
    const { messages, sampleRatio } = this.#config
    if (messages === 'filtered') return false
    if (this.#networks !== undefined && !isWithin(this.#networks, address)) return false
    if (sampleRatio < 1 && shareOf(callId) >= sampleRatio) return false
    return this.#leftOut.size === 0 || !this.#leftOut.has(methodOf(buf, start, end))
  }

  close(): void {
    this.#link.close()
  }
}

/** What a listener advertises may be a name: then the family's unspecified address stands for it. */
function nearOf({ facing, address }: TappedMessage): HepEnd {
  const isNumeric = /^[\d.]+$/.test(facing.host) || facing.host.includes(':')
  const anywhere = address.includes(':') ? '::' : '0.0.0.0'
  return { address: isNumeric ? facing.host : anywhere, port: facing.port }
}

/** [0, 1), the same on all edges: FNV-1a over the Call-ID. */
function shareOf(callId: string): number {
  let hash = 0x811c9dc5
  for (let k = 0; k < callId.length; k += 1) hash = Math.imul(hash ^ callId.charCodeAt(k), 0x01000193)
  // Low bits of the product are the better mixed ones after this.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return ((hash ^ (hash >>> 12)) >>> 0) / 0x1_0000_0000
}
