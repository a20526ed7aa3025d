// SPDX-License-Identifier: MIT
//
// What every part of the cluster looks like to those who compose it, and what their servers have in common.

import type { OnBug, RpcServer } from '@tandem/rpc'
import { KitError, type Logger, Metrics, type Part } from '@tandem/service-kit'

/** A service with all that it runs on: its parts in starting order, and whether it can do its work. */
export interface Built<S> {
  readonly service: S
  readonly parts: readonly Part[]
  readonly metrics: Metrics
  ready(): boolean
}

export function serviceMetrics(service: string, cluster: string): Metrics {
  const metrics = new Metrics({ service, cluster })
  metrics.processMetrics()
  return metrics
}

/** Exceptions out of handlers are bugs: logged loudly, the item ends as unknown. */
export function logBugs(logger: Logger): OnBug {
  return (error, where) => logger.error({ err: error, where }, 'bug: exception out of a handler')
}

/** A node that goes waits for its callers to have found another: longer than names in a cluster's DNS live. */
const HAND_OVER_MS = 7_000

interface RpcPlace {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly setting: string
}

/** The gRPC listener as a part; a taken port becomes a sentence that names the setting. */
export function rpcPart(server: RpcServer, { name, address, port, setting }: RpcPlace): Part {
  const start = async () => {
    try {
      await server.listen(address, port)
    } catch (error) {
      const sentence = `Port ${port}/tcp (gRPC) on ${address} cannot be opened: stop what holds it, or change ${setting}.`
      throw new KitError('port_taken', sentence, error)
    }
  }
  const drain = () => server.handOver(HAND_OVER_MS)
  return { name: `${name} gRPC`, start, drain, stop: () => server.close(1_000) }
}
