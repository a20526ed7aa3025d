// SPDX-License-Identifier: MIT
//
// Fraud events to an HTTP endpoint: signed, at least once, each with its id as `Idempotency-Key`. An event is acknowledged
// to the feed once the receiver has it, or once it is in the dead-letter file (refused, or older than maxAgeMs); until then
// the store keeps it, and no call ever waits. Several events are on their way at once, in no order among themselves.
import type { FeedConsumer, RecordFeed, records } from '@tandem/rpc'
import { deliver, type Logger, type Metrics, type WebhookSender } from '@tandem/service-kit'
import type { DeadLetterFile } from './dead-letter-file.ts'
import { fraudBody, toFraudLine } from './event-body.ts'

const GROUP = 'webhook'
/** Before the dead-letter file is tried again. */
const DISK_RETRY_MS = 5_000

export interface FraudWebhookOptions {
  readonly feeds: readonly RecordFeed[]
  /** Of this node, the same after a restart. */
  readonly consumer: string
  readonly sender: Pick<WebhookSender, 'send' | 'close'>
  readonly deadLetters: Pick<DeadLetterFile, 'add' | 'path'>
  /** Events on their way at once, of each feed. */
  readonly concurrency: number
  /** Of lesser ones nothing is sent. */
  readonly minLevel: 'warning' | 'critical'
  readonly maxAgeMs: number
  readonly retryMinMs: number
  readonly retryMaxMs: number
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly metrics?: Metrics
}

const HELP = {
  received: 'Fraud events received from the feed, repeats included.',
  delivered: 'Fraud events that the webhook has taken.',
  skipped: 'Fraud events below the level of the webhook.',
  failures: 'Attempts at the webhook that failed and were tried again.',
  deadLetters: 'Fraud events that went to the dead-letter file.',
} as const

export type FraudWebhookCounts = { -readonly [K in keyof typeof HELP]: number }

export interface FraudWebhook {
  readonly counts: Readonly<FraudWebhookCounts>
  start(): Promise<void>
  /** What is on its way is given up, and delivered again after the next start. */
  stop(): Promise<void>
}

export function createFraudWebhook(options: FraudWebhookOptions): FraudWebhook {
  return new Deliverer(options)
}

class Deliverer implements FraudWebhook {
  readonly counts: FraudWebhookCounts = { received: 0, delivered: 0, skipped: 0, failures: 0, deadLetters: 0 }
  readonly #options: FraudWebhookOptions
  readonly #consumers: FeedConsumer[] = []
  readonly #stopping = new AbortController()
  readonly #underWay = new Set<Promise<void>>()
  #isFailing = false

  constructor(options: FraudWebhookOptions) {
    this.#options = options
    options.metrics?.counters('tandem_records_fraud_webhook', this.counts, HELP)
    options.metrics?.gauge(
      'tandem_records_fraud_webhook_queued_events',
      'Fraud events on their way to the webhook.',
      () => {
        return this.#underWay.size
      },
    )
  }

  async start(): Promise<void> {
    const { feeds, consumer, concurrency } = this.#options
    for (const feed of feeds) {
      const one: FeedConsumer = feed.consume({ group: GROUP, consumer, window: concurrency }, (items) => {
        for (const item of items) this.#take(item, one)
      })
      this.#consumers.push(one)
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.allSettled(this.#underWay)
    for (const consumer of this.#consumers.splice(0)) consumer.close()
    this.#options.sender.close()
  }

  #take({ id, fraudEvent }: records.FeedItem, consumer: FeedConsumer): void {
    if (this.#stopping.signal.aborted) return
    this.counts.received++
    const { minLevel } = this.#options
    if (fraudEvent === undefined || (minLevel === 'critical' && fraudEvent.level !== 'critical')) {
      this.counts.skipped++
      consumer.acknowledge([id])
      return
    }
    const done = this.#bring(fraudEvent)
      .then((isDone) => {
        if (isDone) consumer.acknowledge([id])
      })
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'a bug in the fraud webhook'))
      .finally(() => this.#underWay.delete(done))
    this.#underWay.add(done)
  }

  /** False: it is to come again. */
  async #bring(event: records.FraudEvent): Promise<boolean> {
    const { sender, maxAgeMs, retryMinMs, retryMaxMs } = this.#options
    const delivery = await deliver(
      sender,
      { key: keyOf(event.id), body: fraudBody(event) },
      {
        bornUnixMs: Number(event.unixMs),
        maxAgeMs,
        retryMinMs,
        retryMaxMs,
        signal: this.#stopping.signal,
        onFailure: (reason) => this.#failed(reason),
      },
    )
    if (delivery.state === 'aborted') return false
    if (delivery.state === 'dead') return this.#bury(event, delivery.reason)
    this.counts.delivered++
    if (this.#isFailing) this.#options.logger.info('the fraud webhook takes events again')
    this.#isFailing = false
    return true
  }

  /** Said once until it works again. The URL may hold a secret: it is not said. */
  #failed(reason: string): void {
    this.counts.failures++
    if (this.#isFailing) return
    this.#isFailing = true
    this.#options.logger.warn({ reason }, 'the fraud webhook does not take events; they are tried again')
  }

  /** A disk that is full is waited for: the event stays in the store meanwhile. */
  async #bury(event: records.FraudEvent, reason: string): Promise<boolean> {
    const { deadLetters, logger } = this.#options
    while (!this.#stopping.signal.aborted) {
      try {
        await deadLetters.add({ reason, event: toFraudLine(event) })
        this.counts.deadLetters++
        logger.error(
          { code: 'dead_letter', file: deadLetters.path, event: event.id, reason },
          'a fraud event was not taken',
        )
        return true
      } catch (error) {
        logger.error({ err: error, file: deadLetters.path }, 'the dead-letter file of fraud events can not be written')
        await pause(DISK_RETRY_MS, this.#stopping.signal)
      }
    }
    return false
  }
}

/** A header holds printable ASCII. */
const keyOf = (id: string): string => id.replace(/[^\x21-\x7e]/g, '_').slice(0, 255)

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    timer.unref()
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}
