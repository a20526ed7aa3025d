// SPDX-License-Identifier: MIT
//
// The contract on all three bindings. The gRPC one is a real server on a loopback port.
import { runCallerContract } from './caller-contract.ts'
import type { BindingSetup, RemoteTestBinding, TestBinding } from './contract-kit.ts'
import { createInProcess } from './in-process.ts'
import { runRemoteContract } from './remote-contract.ts'
import { createRpcServer, type RpcServer } from './rpc-server.ts'
import { serveLocation } from './serve.ts'
import { locationService } from './service.ts'
import { createStreamCaller } from './stream-caller.ts'

function inProcess(encoded: boolean) {
  return async (setup: BindingSetup): Promise<TestBinding> => {
    const { handlers, bound = 65_536, ...options } = setup
    const caller = createInProcess(locationService, handlers, { ...options, encoded, maxInFlight: bound })
    return { caller, stop: () => caller.close() }
  }
}

async function listen(setup: BindingSetup, port: number): Promise<{ server: RpcServer; port: number }> {
  const { handlers, onBug, ...options } = setup
  const server = createRpcServer({ onBug })
  serveLocation(server, handlers, options)
  return { server, port: await server.listen('127.0.0.1', port) }
}

async function overGrpc(setup: BindingSetup): Promise<RemoteTestBinding> {
  let { server, port } = await listen(setup, 0)
  const half = Math.floor((setup.bound ?? 32_768) / 2)
  const caller = createStreamCaller(locationService, [`127.0.0.1:${port}`], {
    peer: setup.peer,
    onBug: setup.onBug,
    maxQueueItems: half,
    maxInFlightPerStream: half,
    maxBatchItems: Math.min(64, half),
    backoffMaxMs: 100,
  })
  const kill = () => server.close(0)
  const restart = async () => {
    ;({ server, port } = await listen(setup, port))
  }
  const stop = async () => {
    await caller.close()
    await server.close(0)
  }
  return { caller, kill, restart, stop }
}

runCallerContract('in process', inProcess(false))
runCallerContract('in process, encoded', inProcess(true))
runCallerContract('gRPC', overGrpc)
runRemoteContract('gRPC', overGrpc)
