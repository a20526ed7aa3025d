// SPDX-License-Identifier: MIT
//
// A gRPC server: listening, and a stop that lets items in progress end. Order of a stop: every service drains (its streams
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
  /** Resolves when everything received is answered and every stream has ended. */
  drain(): Promise<void>
}

const DEFAULT_GRACE_MS = 5_000

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

  /** Ends items in progress, then streams, then the listener; after `graceMs` by force. */
  async close(graceMs: number = DEFAULT_GRACE_MS): Promise<void> {
    let grace: NodeJS.Timeout | undefined
    const overdue = new Promise<void>((resolve) => {
      grace = setTimeout(resolve, graceMs)
    })
    await Promise.race([this.#shutDown(), overdue])
    clearTimeout(grace)
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
