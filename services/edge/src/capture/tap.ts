// SPDX-License-Identifier: MIT
//
// Sees each message that an edge receives and sends, at its listeners (listeners/): keeps the last ones (message-ring.ts), mirrors them (hep-mirror.ts),
// and logs those that filters ask for. A listener without a tap pays one comparison a message.
// Left out: keep-alives.

import { type EdgeConfig, type Logger, lineLogger } from '@tandem/service-kit'
import type { Facing } from '../listeners/facing.ts'
import { Filters } from './filters.ts'
import { HepMirror } from './hep-mirror.ts'
import { callIdOf } from './message-marks.ts'
import { MessageRing } from './message-ring.ts'
import { redact } from './redact.ts'

export interface TappedMessage {
  readonly isSent: boolean
  readonly facing: Facing
  readonly buf: Buffer
  readonly start: number
  readonly end: number
  /** Far end, numeric. */
  readonly address: string
  readonly port: number
  /** Milliseconds since 1970. */
  readonly atMs: number
}

/** What a listener tells its messages to. The bytes are valid during the call only. */
export interface Tap {
  see(isSent: boolean, facing: Facing, buf: Buffer, start: number, end: number, address: string, port: number): void
}

/** Shorter ones are keep-alives. */
const SHORTEST_MESSAGE = 20
const LINES_PERIOD_MS = 1_000

export class EdgeTap implements Tap {
  readonly ring: MessageRing | undefined
  readonly filters: Filters
  readonly mirror: HepMirror | undefined
  readonly #facings: readonly Facing[]
  readonly #logger: Logger
  readonly #maxLines: number
  #lines = 0
  #linesSinceMs = 0
  /** Lines that were one too many. */
  linesDropped = 0

  constructor(config: EdgeConfig, edgeId: string, facings: readonly Facing[], logger: Logger) {
    const { ringBytes, maxLinesPerSecond } = config.capture
    this.ring = ringBytes > 0 ? new MessageRing(ringBytes) : undefined
    this.mirror = config.hep.address === '' ? undefined : new HepMirror(config.hep, edgeId, logger)
    this.filters = new Filters(() => performance.now())
    this.#facings = facings
    this.#maxLines = maxLinesPerSecond
    this.#logger = lineLogger(logger, { edge: config.id, event: 'message' }).child({}, { level: 'debug' })
  }

  /** Whether there is anything to do for a message. */
  get isIdle(): boolean {
    return this.ring === undefined && this.mirror === undefined && this.filters.isEmpty
  }

  see(isSent: boolean, facing: Facing, buf: Buffer, start: number, end: number, address: string, port: number): void {
    if (end - start < SHORTEST_MESSAGE) return
    const atMs = Date.now()
    this.ring?.add(isSent, this.#facings.indexOf(facing), address, port, buf, start, end, atMs)
    if (this.mirror === undefined && this.filters.isEmpty) return
    this.#show({ isSent, facing, buf, start, end, address, port, atMs })
  }

  /** Listener of a kept message. */
  facingOf(listener: number): Facing | undefined {
    return this.#facings[listener]
  }

  #show(message: TappedMessage): void {
    const { buf, start, end, address } = message
    const targets = this.filters.isEmpty ? undefined : this.filters.targetsOf(buf, start, end, address)
    this.mirror?.take(message, targets?.has('hep') === true)
    if (targets?.has('log') === true) this.#log(message)
  }

  #log({ isSent, facing, buf, start, end, address, port, atMs }: TappedMessage): void {
    if (atMs - this.#linesSinceMs >= LINES_PERIOD_MS) {
      this.#linesSinceMs = atMs
      this.#lines = 0
    }
    this.#lines += 1
    if (this.#lines > this.#maxLines) {
      this.linesDropped += 1
      return
    }
    const message = redact(Buffer.from(buf.subarray(start, end))).latin1Slice()
    const fields = { call_id: callIdOf(buf, start, end), transport: facing.transport, listener: facing.name }
    this.#logger.debug({ ...fields, peer: `${address}:${port}`, message }, isSent ? 'sent' : 'received')
  }

  close(): void {
    this.mirror?.close()
  }
}
