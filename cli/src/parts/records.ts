// SPDX-License-Identifier: MIT
//
// Wires the records service: feed → file, HTTP with `/records`. SIGHUP opens the file anew (logrotate).
import { createRecordsService, type RecordsService } from '@tandem/records'
import type { RecordFeed } from '@tandem/rpc'
import type { Logger, RecordsConfig } from '@tandem/service-kit'
import { type Built, serviceMetrics } from './built.ts'
import { httpPart } from './http.ts'

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

export function buildRecords(
  config: RecordsConfig,
  feeds: readonly RecordFeed[],
  logger: Logger,
): Built<RecordsService> {
  const metrics = serviceMetrics('records', config.clusterName)
  const service = createRecordsService({ feeds, config, logger, metrics })
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
  return { service, parts: [servicePart(service), http], ready }
}
