// SPDX-License-Identifier: MIT
//
// The fraud webhook from its settings. Files of secrets are read here, once.
import { dirname, join } from 'node:path'
import type { RecordFeed } from '@tandem/rpc'
import { type Logger, type Metrics, type RecordsConfig, WebhookSender } from '@tandem/service-kit'
import { readNamedFile, readSecret } from '../files/read-secret.ts'
import { DeadLetterFile } from './dead-letter-file.ts'
import { createFraudWebhook, type FraudWebhook } from './fraud-webhook.ts'

type Settings = RecordsConfig['fraudWebhook']

const AT = 'records.fraudWebhook'

function senderFrom(config: Settings): WebhookSender {
  const { url, timeoutMs, concurrency } = config
  const secret = readSecret({ file: config.secretFile, env: config.secretEnv }, `${AT}.secretFile`) ?? ''
  const authorization = readNamedFile(config.authorizationFile, `${AT}.authorizationFile`)
  const ca = readNamedFile(config.caFile, `${AT}.caFile`)
  const secrets = secret.split('\n').map((line) => line.trim())
  return new WebhookSender({
    url,
    timeoutMs,
    secrets: secrets.filter((line) => line !== ''),
    headers: authorization === undefined ? {} : { authorization },
    maxConnections: concurrency,
    ...(ca === undefined ? {} : { ca }),
  })
}

export interface FraudWebhookParts {
  readonly feeds: readonly RecordFeed[]
  readonly config: Pick<RecordsConfig, 'file' | 'fraudWebhook'>
  /** Of this node, the same after a restart. */
  readonly consumer: string
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly metrics?: Metrics
}

/** undefined: no URL is set. @throws ConfigError where a file that it names can't be read */
export function fraudWebhookFrom({ feeds, config, consumer, ...more }: FraudWebhookParts): FraudWebhook | undefined {
  const { fraudWebhook: settings, file } = config
  if (settings.url === '' || feeds.length === 0) return undefined
  const { concurrency, minLevel, maxAgeMs, retryMinMs, retryMaxMs, deadLetterMaxBytes } = settings
  const deadFile = settings.deadLetterFile || join(dirname(file), 'fraud-events.dead.ndjson')
  return createFraudWebhook({
    feeds,
    consumer,
    sender: senderFrom(settings),
    deadLetters: new DeadLetterFile(deadFile, deadLetterMaxBytes),
    concurrency,
    minLevel,
    maxAgeMs,
    retryMinMs,
    retryMaxMs,
    ...more,
  })
}
