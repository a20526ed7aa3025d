// SPDX-License-Identifier: MIT
//
// `tandem up`: the whole cluster on this machine, then a table of addresses, then the line `tandem ready`.
// `tandem run`: one service of it.
import { type Config, withAdvertised } from '@tandem/service-kit'
import { hostPort, type Listener, listenersOf } from '../addresses.ts'
import { renderTable } from '../output.ts'
import type { ClusterFlags } from '../settings.ts'
import { composeMany } from './many.ts'
import { runUntilSignal } from './run.ts'
import { composeOne } from './run-one.ts'
import type { ServiceName } from './services.ts'
import { loadSettings } from './settings.ts'
import { composeSingle } from './single.ts'

export interface UpContext {
  readonly print: (line: string) => void
  /** Path of the command's own script, to start children with. */
  readonly main: string
}

function shown({ part, protocol, host, port, setting }: Listener) {
  const prefix = protocol === 'http' || protocol === 'https' ? `${protocol}://` : ''
  return { part, protocol, address: prefix + hostPort(host, port), setting }
}

/** The table that `up` prints. */
export function addressTable(config: Config): string {
  return renderTable(['part', 'protocol', 'address'], listenersOf(config).map(shown))
}

/** Resolves with the exit status when the cluster has stopped. */
export async function up(flags: ClusterFlags, { print, main }: UpContext): Promise<number> {
  const config = await withAdvertised(loadSettings(flags, { makeKeys: true }))
  const onReady = () => print(`${addressTable(config)}\n\ntandem ready`)
  const common = { level: config.logging.level, drainMs: config.shutdown.drainMs, onReady }
  if (config.cluster.processes === 'single') return runUntilSignal(await composeSingle(config), common)
  const many = composeMany(config, flags, main)
  let failure: unknown
  const ended = many.failed.catch((error: unknown) => {
    failure = error
  })
  const status = await runUntilSignal(many, { ...common, stopMs: 2 * config.shutdown.drainMs + 10_000, ended })
  if (failure !== undefined) throw failure
  return status
}

/** One service. As a child of `up` it tells its parent when it is ready, and ends with it. */
export async function run(service: ServiceName, flags: ClusterFlags): Promise<number> {
  const config = await withAdvertised(loadSettings(flags, { makeKeys: false }))
  const composition = await composeOne(service, config)
  const isChild = process.send !== undefined
  const ended = isChild ? new Promise<void>((resolve) => process.once('disconnect', resolve)) : undefined
  const { level } = config.logging
  const onReady = () => process.send?.('ready')
  const status = await runUntilSignal(composition, {
    level,
    drainMs: config.shutdown.drainMs,
    onReady,
    ...(ended && { ended }),
  })
  if (isChild && process.connected) process.disconnect()
  return status
}
