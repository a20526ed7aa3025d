// SPDX-License-Identifier: MIT
//
// What each method of the definition does: a thin pass to the service that has it. The author of a change is who the token says.
import type { LocationUnaryMethods, PolicyUnaryMethods, resources } from '@tandem/rpc'
import { type Backends, type SourcePart, unwrap } from './backends.ts'
import type { Values } from './json.ts'
import { applySources, throwProblems } from './resources.ts'
import type { Caller } from './tokens.ts'

/** What calls work with. */
export interface CallDeps {
  readonly backends: Backends
  readonly clusterName: string
  readonly callTimeoutMs: number
  readonly applyTimeoutMs: number
}

/** Takes a whole request (json.ts), gives a whole response. Throws `ApiError`. */
export type Call = (deps: CallDeps, request: Values, caller: Caller) => Promise<object>

function policyCall(method: keyof PolicyUnaryMethods & string): Call {
  return async ({ backends, callTimeoutMs }, request) =>
    unwrap(await backends.policy.call(method, request as never, callTimeoutMs)) as object
}

function locationCall(method: keyof LocationUnaryMethods & string): Call {
  return async ({ backends, callTimeoutMs }, request) =>
    unwrap(await backends.location.call(method, request as never, callTimeoutMs)) as object
}

const text = (value: unknown): Uint8Array => Buffer.from(String(value))

function filesOf(request: Values): SourcePart[] {
  const files = request.files as { file: string; text: string }[]
  return files.map((one, at) => ({ file: one.file || `files[${at}]`, text: text(one.text) }))
}

const apply: Call = (deps, request, caller) => applySources(deps, optionsOf(request, caller), filesOf(request))

/** Fields of a request that are options of an application. */
export function optionsOf(request: Values, caller: Caller): resources.ApplyOptions {
  const { expectedRevision, dryRun, comment, manager, replace } = request as unknown as resources.ApplyOptions
  return { expectedRevision, dryRun, comment, manager, replace, author: caller.name }
}

const labelsOf = (texts: readonly string[]): Record<string, string> =>
  Object.fromEntries(texts.map((one) => [one.split('=', 1)[0] ?? '', one.slice(one.indexOf('=') + 1)]))

const listResources: Call = async ({ backends, callTimeoutMs }, request) => {
  const { label, ...others } = request
  const asked = { ...others, labels: labelsOf(label as string[]) } as unknown as resources.ListRequest
  return unwrap(await backends.resources.list(asked, callTimeoutMs))
}

const deleteResources: Call = async ({ backends, applyTimeoutMs }, request, caller) => {
  const asked = { ...request, author: caller.name } as unknown as resources.DeleteRequest
  return throwProblems(unwrap(await backends.resources.delete(asked, applyTimeoutMs)))
}

const deleteResource: Call = (deps, { kind, domain, name, ...others }, caller) =>
  deleteResources(deps, { ...others, keys: [domain === '' ? `${kind}/${name}` : `${kind}/${domain}/${name}`] }, caller)

const rollback: Call = async ({ backends, applyTimeoutMs }, request, caller) => {
  const asked = { ...request, author: caller.name } as unknown as resources.RollbackRequest
  return throwProblems(unwrap(await backends.resources.rollback(asked, applyTimeoutMs)))
}

const whoAmI: Call = async ({ clusterName }, _request, { name, role }) => ({ name, role, cluster: clusterName })

/** By the names of the definition; a test holds both against each other. */
export const CALLS: Readonly<Record<string, Call>> = {
  whoAmI,
  apply,
  diff: (deps, request, caller) => apply(deps, { ...request, dryRun: true }, caller),
  listResources,
  getResource: async ({ backends, callTimeoutMs }, request) =>
    unwrap(await backends.resources.get(request as unknown as resources.GetRequest, callTimeoutMs)),
  deleteResource,
  deleteResources,
  export: async ({ backends, callTimeoutMs }, request) =>
    unwrap(await backends.resources.export(request as unknown as resources.ExportRequest, callTimeoutMs)),
  listHistory: async ({ backends, callTimeoutMs }, request) =>
    unwrap(await backends.resources.listHistory(request as unknown as resources.ListHistoryRequest, callTimeoutMs)),
  getHead: async ({ backends, callTimeoutMs }) => unwrap(await backends.resources.getHead({}, callTimeoutMs)),
  rollback,
  listCalls: policyCall('listCalls'),
  hangUp: policyCall('requestHangUp'),
  getAccount: policyCall('getAccount'),
  topUp: policyCall('topUp'),
  unblockAccount: policyCall('unblockAccount'),
  listBans: policyCall('listBans'),
  addBan: policyCall('addBan'),
  liftBan: policyCall('liftBan'),
  drainEdge: policyCall('drainEdge'),
  traceCall: policyCall('traceCall'),
  listMessageFilters: policyCall('listMessageFilters'),
  setMessageFilter: policyCall('setMessageFilter'),
  clearMessageFilters: policyCall('clearMessageFilters'),
  listTrunks: policyCall('listTrunks'),
  routeTest: policyCall('routeTest'),
  listGroup: policyCall('listGroup'),
  setGroupLogin: policyCall('setGroupLogin'),
  listFraudEvents: policyCall('listFraudEvents'),
  tryFraudRules: policyCall('tryFraudRules'),
  locate: locationCall('locate'),
  kick: locationCall('kick'),
  countRegistrations: locationCall('countRegistrations'),
  listEdges: locationCall('listEdges'),
}
