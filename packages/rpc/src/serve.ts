// SPDX-License-Identifier: MIT
//
// The gRPC side of a service: the batched stream and the unary methods on one server, over one table of handlers.
import { type ServiceDefinition, type sendUnaryData, status } from '@grpc/grpc-js'
import type { ServerTracer } from '@tandem/telemetry'
import type { Handlers, StreamHooks } from './caller.ts'
import { HealthService, HealthCheckResponse_ServingStatus as ServingStatus } from './gen/grpc/health/v1/health.ts'
import type { Push as LocationPush } from './gen/tandem/location/v1/location.ts'
import type { Push as PolicyPush } from './gen/tandem/policy/v1/policy.ts'
import type {
  LocationMethods,
  LocationUnaryMethods,
  MethodMap,
  PolicyMethods,
  PolicyUnaryMethods,
} from './method-map.ts'
import { SERVE_DEFAULTS, type ServeLimits } from './options.ts'
import type { PushHub } from './push-hub.ts'
import type { Drainable, RpcServer } from './rpc-server.ts'
import { peerOf, unaryOf } from './serve-unary.ts'
import { locationService, policyService, type StreamService } from './service.ts'
import { type HandlerTable, type ServeCounts, type ServerStream, StreamSession } from './stream-session.ts'

export interface ServeOptions<Push> extends StreamHooks, Partial<ServeLimits> {
  pushes?: PushHub<Push>
  /** Makes the spans of requests that are traced. */
  tracer?: ServerTracer | undefined
}

/** Handlers of the stream's items and of the unary methods; a method that is both is one handler. */
export type LocationHandlers = Handlers<LocationMethods> & Handlers<LocationUnaryMethods>
/** What tools alone ask for; a service without it says UNIMPLEMENTED. */
type ToolMethods =
  | 'listFraudEvents'
  | 'tryFraudRules'
  | 'restoreLedger'
  | 'listTrunks'
  | 'routeTest'
  | 'listGroup'
  | 'setGroupLogin'
  | 'traceCall'
  | 'drainEdge'
  | 'setMessageFilter'
  | 'listMessageFilters'
  | 'clearMessageFilters'
/** Authorize is Decide in other words: a service that has the one needs no other. */
export type PolicyHandlers = Handlers<PolicyMethods> &
  Handlers<Omit<PolicyUnaryMethods, 'authorize' | ToolMethods>> &
  Partial<Handlers<Pick<PolicyUnaryMethods, ToolMethods>>>

/** A service on a server: its counts, for metrics. */
export interface Served extends Drainable {
  readonly counts: Readonly<ServeCounts>
}

function turnAway(stream: ServerStream): void {
  const details = 'this node is about to go'
  stream.destroy(Object.assign(new Error(details), { code: status.UNAVAILABLE, details }))
}

class StreamServer<M extends MethodMap, U extends MethodMap, Push> implements Served {
  readonly counts: ServeCounts = {
    streams: 0,
    items: 0,
    batches: 0,
    refused: 0,
    unknown: 0,
    late: 0,
    inProgress: 0,
    pauses: 0,
    pushes: 0,
  }
  readonly #server: RpcServer
  readonly #service: StreamService<M, U, Push>
  readonly #handlers: HandlerTable
  readonly #options: ServeOptions<Push>
  readonly #limits: ServeLimits
  readonly #sessions = new Set<StreamSession<M, U, Push>>()
  #isLeaving = false
  #onEmpty: () => void = () => undefined

  constructor(
    server: RpcServer,
    service: StreamService<M, U, Push>,
    handlers: HandlerTable,
    options: ServeOptions<Push>,
  ) {
    this.#server = server
    this.#service = service
    this.#handlers = handlers
    this.#options = options
    this.#limits = { ...SERVE_DEFAULTS, ...options }
  }

  open(stream: ServerStream): void {
    if (this.#isLeaving) return turnAway(stream)
    const { pushes, onStreamOpen, onStreamClose } = this.#options
    const peer = peerOf(stream)
    const session = new StreamSession(
      stream,
      peer,
      this.#service,
      this.#handlers,
      this.#limits,
      this.counts,
      this.#server.onBug,
      this.#options.tracer,
    )
    this.#sessions.add(session)
    this.counts.streams++
    const unsubscribe = pushes?.subscribe(peer, (push) => session.push(push))
    session.start(() => {
      unsubscribe?.()
      this.#sessions.delete(session)
      this.counts.streams--
      onStreamClose?.(peer, this.#isLeaving)
      if (this.#sessions.size === 0) this.#onEmpty()
    })
    onStreamOpen?.(peer)
  }

  handOver(): Promise<void> {
    this.#isLeaving = true
    for (const session of this.#sessions) session.tellLeaving()
    return new Promise((resolve) => {
      this.#onEmpty = resolve
      if (this.#sessions.size === 0) resolve()
    })
  }

  async drain(): Promise<void> {
    this.#isLeaving = true
    await Promise.all([...this.#sessions].map((session) => session.drain()))
  }
}

function serveStream<M extends MethodMap, U extends MethodMap, Push>(
  server: RpcServer,
  service: StreamService<M, U, Push>,
  handlers: object,
  options: ServeOptions<Push>,
): Served {
  const table = handlers as HandlerTable
  const served = new StreamServer(server, service, table, options)
  const stream = { ...service.definition.stream, responseSerialize: (batch: Buffer) => batch }
  const definition = { ...service.definition, stream } as unknown as ServiceDefinition
  const unary = Object.keys(service.definition)
    .filter((name) => name !== 'stream' && table[name] !== undefined) // gRPC answers UNIMPLEMENTED for the others
    .map((name) => [name, unaryOf(name, table, server.onBug, { name: service.name, tracer: options.tracer })])
  server.add(definition, { ...Object.fromEntries(unary), stream: (call: ServerStream) => served.open(call) }, served)
  return served
}

export function serveLocation(
  server: RpcServer,
  handlers: LocationHandlers,
  options: ServeOptions<LocationPush> = {},
): Served {
  return serveStream(server, locationService, handlers, options)
}

export function servePolicy(
  server: RpcServer,
  handlers: PolicyHandlers,
  options: ServeOptions<PolicyPush> = {},
): Served {
  return serveStream(server, policyService, handlers, options)
}

/** grpc.health.v1 Check, whatever service it names: SERVING while `ready()`. */
export function serveHealth(server: RpcServer, ready: () => boolean): void {
  server.add(HealthService, {
    check: (_call: unknown, reply: sendUnaryData<{ status: number }>) =>
      reply(null, { status: ready() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING }),
  })
}
