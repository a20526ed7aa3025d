// SPDX-License-Identifier: MIT
//
// Wires the records service: feed → sinks, fraud events → webhook, HTTP with `/records`. SIGHUP opens files anew
// (logrotate).
import { hostname } from 'node:os'
import {
  createCallLines,
  createRecordsService,
  type FraudWebhook,
  fraudWebhookFrom,
  type LedgerCopy,
  ledgerCopyFrom,
  type RecordsService,
} from '@tandem/records'
import type { RecordFeed } from '@tandem/rpc'
import type { Logger, RecordsConfig } from '@tandem/service-kit'
import type { Tracing } from '@tandem/telemetry'
import { type Built, serviceMetrics } from './built.ts'
import { httpPart } from './http.ts'
import { registerTraces } from './traces.ts'

function servicePart(service: RecordsService) {
  const reopen = () => service.reopen()
  const start = async () => {
    process.on('SIGHUP', reopen)
    await service.start()
  }
  const stop = async () => {
    process.off('SIGHUP', reopen)
    await service.stop()
  }
  return { name: 'records', start, stop }
}

const webhookPart = (webhook: FraudWebhook) => ({
  name: 'fraud webhook',
  start: () => webhook.start(),
  stop: () => webhook.stop(),
})

const ledgerPart = (copy: LedgerCopy) => ({
  name: 'copy of ledgers',
  start: () => copy.start(),
  stop: () => copy.stop(),
})

export function buildRecords(
  config: RecordsConfig,
  feeds: readonly RecordFeed[],
  logger: Logger,
  fraudFeeds: readonly RecordFeed[] = [],
  ledgerFeeds: readonly RecordFeed[] = [],
  tracing?: Tracing,
): Built<RecordsService> {
  const metrics = serviceMetrics('records', config.clusterName)
  registerTraces(metrics, tracing)
  const traceAttributes = { 'service.namespace': config.clusterName }
  const callLines = createCallLines(config, logger)
  const service = createRecordsService({ feeds, config, logger, metrics, callLines, tracing, traceAttributes })
  const consumer = config.node || hostname()
  const webhook = fraudWebhookFrom({ feeds: fraudFeeds, config, consumer, logger, metrics })
  const ledger = ledgerCopyFrom({ feeds: ledgerFeeds, config, consumer, logger, metrics })
  const ready = () => service.ready()
  const { bindAddress: address, httpPort: port } = config
  const http = httpPart('records', {
    address,
    port,
    setting: 'records.httpPort',
    metrics,
    ready,
    routes: service.routes,
  })
  const further = [
    ...(webhook === undefined ? [] : [webhookPart(webhook)]),
    ...(ledger === undefined ? [] : [ledgerPart(ledger)]),
  ]
  const parts = [servicePart(service), ...further, http]
  return { service, parts, metrics, ready }
}
