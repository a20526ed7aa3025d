// SPDX-License-Identifier: MIT
//
// How the administrative commands reach a running cluster, and how they say that it does not answer.
import {
  createUnaryCaller,
  type LocationUnaryMethods,
  locationService,
  type PolicyUnaryMethods,
  policyService,
  type Result,
} from '@tandem/rpc'
import { type Config, locationConfig, policyConfig, recordsConfig } from '@tandem/service-kit'
import { hostPort } from '../addresses.ts'
import { CommandFailed } from '../command-failed.ts'
import { rpcSecurity } from '../parts/rpc-tls.ts'

const CALL_MS = 3_000
const QUERY_MS = 30_000

function unwrap<T>(result: Result<T>, service: string, target: string): T {
  if (result.outcome === 'done') return result.value
  if (result.outcome === 'refused')
    throw new CommandFailed(`${service} refused: ${result.refusal.detail} (${result.refusal.code})`)
  throw new CommandFailed(`${service} at ${target} does not answer (${result.detail}). Is \`tandem up\` running?`)
}

const loopback = (host: string): string => (host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host)

/** One unary call of the location service, of the first node that answers. Throws `CommandFailed`. */
export async function callLocation<K extends keyof LocationUnaryMethods & string>(
  config: Config,
  method: K,
  request: LocationUnaryMethods[K]['request'],
  timeoutMs = CALL_MS,
): Promise<LocationUnaryMethods[K]['response']> {
  const { address, bindAddress, grpcPort } = locationConfig(config)
  const targets = address === '' ? [hostPort(loopback(bindAddress), grpcPort)] : address.split(',')
  const options = { peer: 'tandem-cli', ...rpcSecurity(config).toward(targets.join(',')) }
  let last: Result<LocationUnaryMethods[K]['response']> | undefined
  for (const target of targets) {
    const caller = createUnaryCaller(locationService, target.trim(), options)
    try {
      last = await caller.invoke(method, request, timeoutMs)
    } finally {
      await caller.close()
    }
    if (last.outcome !== 'unknown') break
  }
  return unwrap(last as Result<LocationUnaryMethods[K]['response']>, 'location', targets.join(', '))
}

/** One unary call of the policy service, of the first node that answers. Throws `CommandFailed`. */
export async function callPolicy<K extends keyof PolicyUnaryMethods & string>(
  config: Config,
  method: K,
  request: PolicyUnaryMethods[K]['request'],
): Promise<PolicyUnaryMethods[K]['response']> {
  const { address, bindAddress, grpcPort } = policyConfig(config)
  const targets = address === '' ? [hostPort(loopback(bindAddress), grpcPort)] : address.split(',')
  const options = { peer: 'tandem-cli', ...rpcSecurity(config).toward(targets.join(',')) }
  let last: Result<PolicyUnaryMethods[K]['response']> | undefined
  for (const target of targets) {
    const caller = createUnaryCaller(policyService, target.trim(), options)
    try {
      last = await caller.invoke(method, request, CALL_MS)
    } finally {
      await caller.close()
    }
    if (last.outcome !== 'unknown') break
  }
  return unwrap(last as Result<PolicyUnaryMethods[K]['response']>, 'policy', targets.join(', '))
}

/** Lines of a path of the records service, as they come. Throws `CommandFailed`. */
export async function* streamRecords(config: Config, path: string): AsyncGenerator<string> {
  const { bindAddress, httpPort } = recordsConfig(config)
  const base = `http://${hostPort(loopback(bindAddress), httpPort)}`
  const silent = new AbortController()
  // A query of PostgreSQL may take its time before the first record.
  const timer = setTimeout(() => silent.abort(new Error('silence')), QUERY_MS)
  const response = await fetch(base + path, { signal: silent.signal }).catch((error: unknown) => {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
    throw new CommandFailed(`records at ${base} does not answer (${cause}). Is \`tandem up\` running?`)
  })
  clearTimeout(timer)
  if (!response.ok)
    throw new CommandFailed(`records at ${base} answered ${response.status}: ${await sentence(response)}`)
  try {
    yield* linesOf(response.body ?? [])
  } catch (error) {
    if (error instanceof CommandFailed) throw error
    throw new CommandFailed(`records at ${base} broke off; what was printed is not all of it.`)
  }
}

async function sentence(response: Response): Promise<string> {
  return (await response.text().catch(() => '')).trim().slice(0, 500) || 'no reason'
}

async function* linesOf(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}
