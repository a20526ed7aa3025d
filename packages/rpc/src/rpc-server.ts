// SPDX-License-Identifier: MIT
//
// A gRPC server: listening, and a stop that lets items in progress end. Before a stop its callers may be told to go elsewhere: it
// answers them until they have. Order of a stop: every service drains (its streams
// read nothing more, answer what they have and end), then the listener closes, and after the grace all is cut.
import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { type OnBug, warnOfBug } from './caller.ts'
import { SIZE_OPTIONS } from './channel.ts'
import type { RpcServerOptions } from './options.ts'

/** A service on a server. */
export interface Drainable {
  /** Tells callers to find another node and goes on answering; resolves when none is left. */
  handOver?(): Promise<void>
  /** Resolves when everything received is answered and every stream has ended. */
  drain(): Promise<void>
}

const DEFAULT_GRACE_MS = 5_000

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const overdue = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, overdue])
  clearTimeout(timer)
}

/** grpc-js writes to stderr what it also returns as errors; one report is enough, unless the operator asks for its own. */
function quietGrpc(): void {
  if (process.env.GRPC_VERBOSITY === undefined) setLogVerbosity(logVerbosity.NONE)
}

export class RpcServer {
  readonly onBug: OnBug
  readonly #server = new Server({
    ...SIZE_OPTIONS,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
  })
  readonly #credentials: ServerCredentials
  readonly #services: Drainable[] = []

  constructor(options: RpcServerOptions) {
    quietGrpc()
    this.onBug = options.onBug ?? warnOfBug
    this.#credentials = options.credentials ?? ServerCredentials.createInsecure()
  }

  /** For serve…: before `listen`. */
  add(definition: ServiceDefinition, implementation: UntypedServiceImplementation, service?: Drainable): void {
    this.#server.addService(definition, implementation)
    if (service !== undefined) this.#services.push(service)
  }

  /** Port 0 takes a free one. Resolves to the port; rejects with a sentence that names address and port. */
  listen(address: string, port: number): Promise<number> {
    const host = address.includes(':') ? `[${address}]` : address
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`${host}:${port}`, this.#credentials, (error, bound) => {
        if (error === null) resolve(bound)
        else reject(new Error(`gRPC cannot listen on ${host}:${port}: ${error.message}`, { cause: error }))
      })
    })
  }

  /** Callers that have another node go there; the others are answered until `withinMs` is over. No stream is opened any more. */
  async handOver(withinMs: number): Promise<void> {
    const leaving = this.#services.flatMap((service) => service.handOver?.() ?? [])
    await within(Promise.all(leaving), withinMs)
  }

  /** Ends items in progress, then streams, then the listener; after `graceMs` by force. */
  async close(graceMs: number = DEFAULT_GRACE_MS): Promise<void> {
    await within(this.#shutDown(), graceMs)
    this.#server.forceShutdown()
  }

  async #shutDown(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.drain()))
    await new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve())
    })
  }
}

export function createRpcServer(options: RpcServerOptions = {}): RpcServer {
  return new RpcServer(options)
}
