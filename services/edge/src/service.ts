// SPDX-License-Identifier: MIT
//
// One edge: listeners, transaction layer, proxy core and the services behind it, wired together; start, drain, stop.
// What it does with messages is in receive.ts and behind.
//
// The order of the start: warm up, listen to other edges, join the cluster, open what faces the world. Where edges share one address, the
// kernel gives an edge its share of all messages from the moment that its port is open; so it is opened when the others know this edge, and
// it can work. The order of the stop is the other way round: the port is left first, then the cluster, whose edges take over what is left.
// When it says that it is ready: readiness/; how it drains: drain/.
// Race: an edge that can't join (location away) is up, not ready, and opens its ports once it has joined.

import { isIPv6 } from 'node:net'
import type { EdgeConfig } from '@tandem/service-kit'
import { tapInto } from './capture/commands.ts'
import { registerCaptureMetrics } from './capture/metrics.ts'
import type { EdgeTap } from './capture/tap.ts'
import type { EdgeCore } from './core.ts'
import { drainEdge } from './drain/drain.ts'
import { pairWithSecure } from './listeners/facing.ts'
import { type EdgeListeners, openListeners } from './listeners/listeners.ts'
import { networkList } from './listeners/stream-listeners.ts'
import { registerEdgeMetrics } from './metrics.ts'
import type { EdgeServiceOptions } from './options.ts'
import { Readiness } from './readiness/readiness.ts'
import { loopbackOf, SelfProbe } from './readiness/self-probe.ts'
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
  /** Its ports are open and answer, it does not drain; and the cluster and its services were there once. */
  ready(): boolean
  /** What keeps it from being ready, in words. */
  missing(): string[]
  /** Other keys sign and verify from now on. */
  useKeyRing(ring: EdgeConfig['keyRing']): void
  /** "udp:192.0.2.1:5060" */
  addresses(): readonly string[]
}

/** Resolution of all protocol timers. */
const TICK_MS = 10
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
  private tap: EdgeTap | undefined
  /** Another one than the configuration's, where it came before the start. */
  private ring: EdgeConfig['keyRing'] | undefined
  private isPublic = false
  private readonly probe: SelfProbe | undefined
  private readonly readiness: Readiness

  constructor(options: EdgeServiceOptions) {
    this.options = options
    const { config, location, policy, logger } = options
    this.probe = probeOf(config)
    const gates = {
      own: { 'open ports': () => this.isPublic, 'an edge that stays: this one drains': () => !this.draining },
      shared: {
        'a place in the cluster': () => this.wiring?.core.membership.joined ?? false,
        location: () => location.ready,
        policy: () => policy.ready,
      },
    }
    this.readiness = new Readiness(config.readiness, gates, logger, this.probe)
  }

  async start(): Promise<void> {
    Buffer.poolSize = Math.max(Buffer.poolSize, BUFFER_POOL_BYTES)
    const { config, logger, metrics } = this.options
    await warmUp(this.options)
    const { probe } = this
    const listeners = await openListeners(config, logger, (buf, start, end, source) => {
      if (probe?.isLooking === true) probe.look(buf, start)
      this.receiver?.receive(buf, start, end, source)
    })
    const wiring = createEdgeCore(this.options, listeners)
    this.listeners = listeners
    pairWithSecure(listeners.facings())
    this.wiring = wiring
    if (this.ring !== undefined) wiring.useKeyRing(this.ring)
    this.receiver = new Receiver(wiring.core)
    this.tap = tapInto(wiring.core, listeners)
    this.takeDrain(wiring.core)
    listeners.onConnectionLost = (peer, reason) => {
      const isRefused = reason === 'connectFailed' || reason === 'connectTimeout'
      wiring.core.hops.onLost(peer, isRefused)
      endBindings(wiring.core, peer)
      wiring.core.anyEdge.relays.onLost(peer)
      for (const client of peer.clients) wiring.core.layer.transportError(client)
    }
    listeners.onUnreachable = (...error) => wiring.core.unreachables.receive(wiring.core, ...error)
    // The timers' clock stands until the first tick: what began before would be over with it.
    this.tick()
    this.ticker = setInterval(() => this.tick(), TICK_MS)
    if (metrics !== undefined) {
      registerEdgeMetrics(metrics, wiring.core, () => ({ udp: listeners.allUdp(), tcp: listeners.allTcp() }))
      registerCaptureMetrics(metrics, this.tap)
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
    this.readiness.start()
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
    return this.readiness.missing().length === 0
  }

  missing(): string[] {
    return this.readiness.missing()
  }

  useKeyRing(ring: EdgeConfig['keyRing']): void {
    this.ring = ring
    this.wiring?.useKeyRing(ring)
  }

  addresses(): readonly string[] {
    return this.listeners?.facings().map((facing) => facing.name) ?? []
  }

  /** `tandem drain`. */
  private takeDrain({ policy, logger }: EdgeCore): void {
    policy.onPush(({ event }) => {
      if (event?.$case !== 'drain' || this.draining) return
      logger.warn('this edge drains: an administrator has asked for it')
      this.drain().catch((error: unknown) => logger.error({ err: error }, 'drain failed'))
    })
  }

  async drain(): Promise<void> {
    this.draining = true
    this.readiness.stop()
    const { wiring, listeners, receiver } = this
    if (wiring === undefined || listeners === undefined || receiver === undefined) return
    const refuseNew = (isRefused: boolean): void => {
      receiver.draining = isRefused
    }
    await drainEdge({ core: wiring.core, listeners, setDraining: wiring.setDraining, refuseNew })
  }

  async stop(): Promise<void> {
    this.draining = true
    this.readiness.stop()
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
    this.tap?.close()
    wiring?.core.callLog?.close()
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
    this.readiness.lag.note(now, TICK_MS)
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

/** Over TLS nothing is asked where a client must show a certificate, or a load balancer speaks first. */
function probeOf(config: EdgeConfig): SelfProbe | undefined {
  const { listeners, readiness, bindAddress, sipPort, tlsPort, sharedAddress, proxyProtocol, tls } = config
  if (!readiness.probe) return undefined
  const isProxied = networkList(proxyProtocol.sources).check(
    loopbackOf(bindAddress),
    isIPv6(bindAddress) ? 'ipv6' : 'ipv4',
  )
  const asksTls = listeners.tls && !isProxied && tls.clientCertificates !== 'require'
  const places = {
    host: loopbackOf(bindAddress),
    udp: listeners.udp ? sipPort : undefined,
    tcp: listeners.tcp ? sipPort : undefined,
    tls: asksTls ? tlsPort : undefined,
    isShared: sharedAddress,
    isProxied,
  }
  const isPossible = listeners.udp || listeners.tcp || asksTls
  return isPossible ? new SelfProbe(places, readiness.timeoutMs) : undefined
}

export function createEdgeService(options: EdgeServiceOptions): EdgeService {
  return new Edge(options)
}
