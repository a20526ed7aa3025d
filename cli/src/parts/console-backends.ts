// SPDX-License-Identifier: MIT
//
// How the admin API reaches policy and location: gRPC, also within one process, where it is a connection to this machine. Of several nodes one
// that is connected is asked; where it does not answer, what only reads is asked of the others too. A change is asked once: whether it was made
// is then not known, and the client is told so.
import type { Backends, ResourceBackend, UnaryBackend } from '@tandem/console'
import {
  type Caller,
  createResourceClient,
  createUnaryCaller,
  type LocationUnaryMethods,
  locationService,
  type MethodMap,
  type PolicyUnaryMethods,
  policyService,
  type ResourceCaller,
  type Result,
  type StreamService,
} from '@tandem/rpc'
import type { ConsoleConfig } from '@tandem/service-kit'
import type { RpcSecurity } from './rpc-tls.ts'

/** Soon there again after a start of all at once. */
const OPTIONS = { peer: 'console', backoffMaxMs: 500 }

/** Asked of every node until one answers. */
const READS = new Set([
  'listCalls',
  'getAccount',
  'listBans',
  'listTrunks',
  'traceCall',
  'listMessageFilters',
  'routeTest',
  'listGroup',
  'listFraudEvents',
  'tryFraudRules',
  'locate',
  'listEdges',
  'countRegistrations',
])

const split = (targets: string): string[] => targets.split(',').map((target) => target.trim())

/** Those that are connected come first. */
const byReadiness = <C extends { readonly ready: boolean }>(nodes: readonly C[]): C[] =>
  [...nodes].sort((a, b) => Number(b.ready) - Number(a.ready))

function unaryBackend<U extends MethodMap>(callers: readonly Caller<U>[]): UnaryBackend<U> {
  return {
    async call(method, request, timeoutMs) {
      const nodes = byReadiness(callers)
      let last = await (nodes[0] as Caller<U>).invoke(method, request, timeoutMs)
      for (const node of READS.has(method) ? nodes.slice(1) : []) {
        if (last.outcome !== 'unknown') break
        last = await node.invoke(method, request, timeoutMs)
      }
      return last
    },
  }
}

function callersOf<M extends MethodMap, U extends MethodMap, Push>(
  service: StreamService<M, U, Push>,
  targets: string,
  security?: RpcSecurity,
): Caller<U>[] {
  const options = { ...OPTIONS, ...security?.toward(targets) }
  return split(targets).map((target) => createUnaryCaller(service, target, options))
}

type ReadMethod = 'get' | 'list' | 'export' | 'listHistory' | 'getHead'

/** @param ready whether the node of the same place is connected */
function resourceBackend(nodes: readonly ResourceCaller[], ready: (at: number) => boolean): ResourceBackend {
  const inOrder = (): ResourceCaller[] =>
    byReadiness(nodes.map((node, at) => ({ node, ready: ready(at) }))).map(({ node }) => node)
  const first = (): ResourceCaller => inOrder()[0] as ResourceCaller
  const read = <K extends ReadMethod>(method: K) =>
    (async (request: never, timeoutMs?: number) => {
      let last: Result<unknown> | undefined
      for (const node of inOrder()) {
        last = await (node[method] as (request: never, timeoutMs?: number) => Promise<Result<unknown>>)(
          request,
          timeoutMs,
        )
        if (last.outcome !== 'unknown') break
      }
      return last
    }) as unknown as ResourceBackend[K]
  return {
    apply: (options, sources, timeoutMs) => first().apply(options, partsOf(sources), timeoutMs),
    delete: (request, timeoutMs) => first().delete(request, timeoutMs),
    rollback: (request, timeoutMs) => first().rollback(request, timeoutMs),
    get: read('get'),
    list: read('list'),
    export: read('export'),
    listHistory: read('listHistory'),
    getHead: read('getHead'),
  }
}

type Parts = Parameters<ResourceBackend['apply']>[1]

async function* partsOf(sources: Parts): AsyncGenerator<{ file: string; text: Buffer }> {
  for await (const { file, text } of sources) yield { file, text: Buffer.from(text) }
}

export function createBackends(
  { policyTarget, locationTarget }: Pick<ConsoleConfig, 'policyTarget' | 'locationTarget'>,
  security?: RpcSecurity,
): Backends {
  const policy: Caller<PolicyUnaryMethods>[] = callersOf(policyService, policyTarget, security)
  const location: Caller<LocationUnaryMethods>[] = callersOf(locationService, locationTarget, security)
  const toPolicy = { ...OPTIONS, ...security?.toward(policyTarget) }
  const resources = split(policyTarget).map((target) => createResourceClient(target, toPolicy))
  return {
    ready: () => policy.some(({ ready }) => ready) && location.some(({ ready }) => ready),
    policy: unaryBackend(policy),
    location: unaryBackend(location),
    resources: resourceBackend(resources, (at) => policy[at]?.ready ?? false),
    async close() {
      await Promise.all([...policy, ...location, ...resources].map((caller) => caller.close()))
    },
  }
}
