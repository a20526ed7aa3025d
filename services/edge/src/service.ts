// SPDX-License-Identifier: MIT
//
// One edge: listeners, transaction layer, proxy core and the services behind it, wired together; start, drain, stop.
// What it does with messages is in receive.ts and behind.
//
// The order of the start: warm up, listen to other edges, join the cluster, open what faces the world. Where edges share one address, the
// kernel gives an edge its share of all messages from the moment that its port is open; so it is opened when the others know this edge, and
// it can work. The order of the stop is the other way round: the port is left first, then the cluster, whose edges take over what is left.
// Race: an edge that can't join (location away) is up, not ready, and opens its ports once it has joined.

import type { EdgeCore } from './core.ts'
import { pairWithSecure } from './listeners/facing.ts'
import { type EdgeListeners, openListeners } from './listeners/listeners.ts'
import { registerEdgeMetrics } from './metrics.ts'
import type { EdgeServiceOptions } from './options.ts'
import { Receiver } from './receive.ts'
import { endBindings } from './registration/flow-end.ts'
import { warmUp } from './warm-up/warm-up.ts'
import { createEdgeCore, type EdgeWiring } from './wiring.ts'

export interface EdgeService {
  /** Joins the cluster and opens the listeners. Rejects with a sentence when a port is taken. */
  start(): Promise<void>
  /** Takes no new calls and waits for those in set-up, at most the configured time. */
  drain(): Promise<void>
  stop(): Promise<void>
  /** Listeners open, services reachable, member of the cluster, not draining. */
  ready(): boolean
  /** "udp:192.0.2.1:5060" */
  addresses(): readonly string[]
}

/** Resolution of all protocol timers. */
const TICK_MS = 10
const DRAIN_POLL_MS = 50
/** How long a start waits for the cluster; after that it goes on in the background. */
const JOIN_MS = 3_000
/** Between attempts to open a port in the background. */
const REOPEN_MS = 1_000
/** Copies of messages come from pooled stores; Node's 8 KiB hold a dozen only. */
const BUFFER_POOL_BYTES = 256 * 1024

class Edge implements EdgeService {
  private readonly options: EdgeServiceOptions
  private wiring: EdgeWiring | undefined
  private listeners: EdgeListeners | undefined
  private receiver: Receiver | undefined
  private ticker: NodeJS.Timeout | undefined
  private opener: NodeJS.Timeout | undefined
  private draining = false
  /** Share of the REGISTERs that the kernel drops. */
  private shedShare = 0
  private isPublic = false

  constructor(options: EdgeServiceOptions) {
    this.options = options
  }

  async start(): Promise<void> {
    Buffer.poolSize = Math.max(Buffer.poolSize, BUFFER_POOL_BYTES)
    const { config, logger, metrics } = this.options
    await warmUp(this.options)
    const listeners = await openListeners(config, logger, (buf, start, end, source) => {
      this.receiver?.receive(buf, start, end, source)
    })
    const wiring = createEdgeCore(this.options, listeners)
    this.listeners = listeners
    pairWithSecure(listeners.facings())
    this.wiring = wiring
    this.receiver = new Receiver(wiring.core)
    listeners.onConnectionLost = (peer, reason) => {
      const isRefused = reason === 'connectFailed' || reason === 'connectTimeout'
      wiring.core.hops.onLost(peer, isRefused)
      endBindings(wiring.core, peer)
      wiring.core.anyEdge.relays.onLost(peer)
      for (const client of peer.clients) wiring.core.layer.transportError(client)
    }
    listeners.onUnreachable = (...error) => wiring.core.unreachables.receive(wiring.core, ...error)
    this.ticker = setInterval(() => this.tick(), TICK_MS)
    if (metrics !== undefined) {
      registerEdgeMetrics(metrics, wiring.core, () => ({ udp: listeners.allUdp(), tcp: listeners.allTcp() }))
    }
    const opened = wiring.core.membership.start().then(() => this.openPublic())
    opened.catch(() => undefined) // told below, or by openLater
    const isInTime = await settledWithin(opened, JOIN_MS)
    if (!isInTime) return void opened.catch((error: Error) => this.openLater(error))
    await opened.catch(async (error: unknown) => {
      await this.stop()
      throw error
    })
  }

  private async openPublic(): Promise<void> {
    if (this.draining) return
    await this.listeners?.openPublic()
    this.wiring?.useUdp()
    this.isPublic = true
  }

  /** Nobody waits for the start any more: said once, and tried until it works. */
  private openLater(error: Error): void {
    this.options.logger.error(`${error.message} Trying again.`)
    this.opener = setInterval(() => {
      this.openPublic().then(
        () => clearInterval(this.opener),
        () => undefined,
      )
    }, REOPEN_MS)
  }

  ready(): boolean {
    const { location, policy } = this.options
    const joined = this.wiring?.core.membership.joined ?? false
    return joined && this.isPublic && !this.draining && location.ready && policy.ready
  }

  addresses(): readonly string[] {
    return this.listeners?.facings().map((facing) => facing.name) ?? []
  }

  async drain(): Promise<void> {
    this.draining = true
    if (this.receiver !== undefined) this.receiver.draining = true
    const wiring = this.wiring
    if (wiring === undefined) return
    wiring.setDraining()
    await wiring.core.membership.renew()
    const { now, proxy, reporter } = wiring.core
    const deadline = now() + this.options.config.drainMs
    while ((proxy.inProgress > 0 || reporter.pending > 0) && now() < deadline) await sleep(DRAIN_POLL_MS)
  }

  async stop(): Promise<void> {
    this.draining = true
    const wiring = this.wiring
    clearInterval(this.opener)
    await this.listeners?.closePublic()
    if (wiring !== undefined) {
      await wiring.core.membership.leave()
      const left = await wiring.core.reporter.drain(this.options.config.drainMs)
      if (left > 0) this.options.logger.error({ left }, 'reports that policy has not taken are lost with this edge')
      wiring.core.reporter.close()
    }
    clearInterval(this.ticker)
    this.options.locationWatch?.close()
    await this.listeners?.close()
  }

  private tickAdmission({ admission }: EdgeCore, now: number): void {
    const udp = this.listeners?.udp
    admission.tick(now, udp?.queueMs ?? 0)
    if (admission.kernelShare === this.shedShare) return
    this.shedShare = admission.kernelShare
    udp?.shedRegisters?.(this.shedShare)
  }

  private tick(): void {
    const core = this.wiring?.core
    if (core === undefined) return
    const now = core.now()
    try {
      core.layer.tick(now)
      core.proxy.tick(now)
      core.anyEdge.tick(now)
      core.natPings.tick(core, now)
      this.tickAdmission(core, now)
    } catch (error) {
      this.options.logger.error({ err: error }, 'bug: exception while a timer fired')
    }
  }
}

/** Whether it has been kept or broken by then. */
async function settledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const settled = promise.then(
    () => true,
    () => true,
  )
  return Promise.race([settled, late]).finally(() => clearTimeout(timer))
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export function createEdgeService(options: EdgeServiceOptions): EdgeService {
  return new Edge(options)
}
