// SPDX-License-Identifier: MIT
//
// One REST request: the page or the method that it names, who sends it, its fields from path, query and body, the call, the answer.
// Browsers: a page of another site may not call (Origin, Host), as on loopback nobody else keeps it from that.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SourcePart } from '../backends.ts'
import { CALLS, optionsOf } from '../calls.ts'
import { type Method, paramsOf } from '../definition.ts'
import { ApiError } from '../errors.ts'
import { fromJson, fromTexts, toJson, type Values } from '../json.ts'
import { admit, asApiError, countOutcome, type PerformDeps, perform, performCall } from '../perform.ts'
import { applySources } from '../resources.ts'
import { findRoute, type Match } from '../routes.ts'
import type { Caller } from '../tokens.ts'
import { bodyKind, ndjsonParts, readJson, yamlParts } from './body.ts'
import { pageOf } from './pages.ts'

export interface RestDeps extends PerformDeps {
  readonly maxBodyBytes: number
  readonly maxApplyBytes: number
  /** Without tokens: hosts by which the API may be named. */
  readonly openHosts: ReadonlySet<string> | undefined
}

const hostOf = (text: string): string =>
  text
    .replace(/^https?:\/\//, '')
    .replace(/:\d+$/, '')
    .toLowerCase()

/** Throws `ApiError`. */
function refuseOtherSites({ headers }: IncomingMessage, openHosts: ReadonlySet<string> | undefined): void {
  const host = headers.host ?? ''
  const origin = headers.origin
  if (origin !== undefined && origin.replace(/^https?:\/\//, '') !== host) throw new ApiError('cross_site')
  if (openHosts !== undefined && !openHosts.has(hostOf(host))) {
    throw new ApiError(
      'cross_site',
      `${host} is no address of this API; without tokens it answers to its own addresses alone`,
    )
  }
}

function queryOf(url: URL): Map<string, string[]> {
  const query = new Map<string, string[]>()
  for (const [key, value] of url.searchParams) query.set(key, [...(query.get(key) ?? []), value])
  return query
}

/** Texts of path and query, and the body, as one message. */
async function fieldsOf(
  request: IncomingMessage,
  url: URL,
  { method, params }: Match,
  deps: RestDeps,
): Promise<Values> {
  const kind = bodyKind(request)
  if (kind === 'yaml' || kind === 'ndjson') throw new ApiError('unsupported_media', `${method.path} takes JSON`)
  const body = kind === 'json' ? await readJson(request, deps.maxBodyBytes) : {}
  const query: Map<string, readonly string[]> = queryOf(url)
  for (const [name, text] of params) query.set(name, [text])
  const texts = fromTexts(method.request, query)
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new ApiError('bad_json', 'expected a JSON object as the body')
  for (const name of paramsOf(method.path)) {
    if (Object.hasOwn(body, name))
      throw new ApiError('bad_request', `${name} stands in the path already`, { where: { path: name } })
  }
  return fromJson(method.request, { ...body, ...texts })
}

/** Without texts of documents, which may hold passwords. */
function shown(method: Method, request: Values): object {
  const { files, ...others } = toJson(method.request, request) as { files?: { file: string }[] }
  return files === undefined ? others : { ...others, files: files.map(({ file }) => file) }
}

async function call(request: IncomingMessage, url: URL, match: Match, caller: Caller, deps: RestDeps): Promise<object> {
  const { method } = match
  const kind = bodyKind(request)
  const isApply = method.request === 'ApplyRequest'
  if (isApply && (kind === 'yaml' || kind === 'ndjson')) return applyBody(request, url, { kind, method, caller }, deps)
  const fields = await fieldsOf(request, url, match, deps)
  const handler = CALLS[method.name]
  if (handler === undefined) throw new ApiError('internal')
  const performed = { method, caller, by: 'rest', what: shown(method, fields) } as const
  return toJson(method.response, await performCall(deps, performed, handler, fields))
}

/** Documents as the body itself; options stand in the query. */
async function applyBody(
  request: IncomingMessage,
  url: URL,
  { kind, method, caller }: { kind: 'yaml' | 'ndjson'; method: Method; caller: Caller },
  deps: RestDeps,
): Promise<object> {
  const query = queryOf(url)
  const file = query.get('file')?.[0] ?? 'body'
  query.delete('file')
  const fields = fromJson(method.request, fromTexts(method.request, query))
  if (method.name === 'diff') fields.dryRun = true
  const files = new Set<string>()
  const parts =
    kind === 'yaml'
      ? yamlParts(request, file, deps.maxApplyBytes)
      : ndjsonParts(request, deps.maxApplyBytes, deps.maxBodyBytes)
  const what: { files: string[] } = { ...shown(method, fields), files: [] }
  const act = async () => {
    const kept = keepError(parts, files)
    try {
      return await applySources(deps, optionsOf(fields, caller), kept.parts)
    } catch (error) {
      throw kept.error() ?? error
    } finally {
      what.files = [...files].slice(0, 100)
    }
  }
  return toJson(method.response, await perform(deps, { method, caller, by: 'rest', what }, act))
}

/** What went wrong while the body came, whatever became of it on the way. */
function keepError(parts: AsyncIterable<SourcePart>, files: Set<string>) {
  let failed: unknown
  async function* kept(): AsyncGenerator<SourcePart> {
    try {
      for await (const part of parts) {
        files.add(part.file)
        yield part
      }
    } catch (error) {
      failed = error
      throw error
    }
  }
  return { parts: kept(), error: () => failed }
}

/** Bounds of what is taken from a sender whose request is answered already. */
const DRAIN_BYTES = 134_217_728
const DRAIN_MS = 10_000

/** Takes the rest of a body and forgets it, for a while. Never rejects. */
function drain(request: IncomingMessage): Promise<void> {
  return new Promise<void>((done) => {
    let bytes = 0
    setTimeout(done, DRAIN_MS).unref()
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > DRAIN_BYTES) done()
    })
    for (const event of ['end', 'error', 'close']) request.once(event, done)
    request.resume()
  }).finally(() => request.pause())
}

function send(response: ServerResponse, ...answered: Answered): void {
  write(response, ...answered)
  response.end()
}

type Answered = readonly [status: number, body: string, headers?: Readonly<Record<string, string>>]

/** Whole, so that a reader need not wait for the end. */
function write(response: ServerResponse, ...[status, body, headers = {}]: Answered): void {
  const text = `${body}\n`
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-length': String(Buffer.byteLength(text)),
    ...headers,
  })
  response.write(text)
}

async function answer(request: IncomingMessage, deps: RestDeps): Promise<string> {
  const target = request.url ?? '/'
  const url = URL.canParse(target, 'http://host') ? new URL(target, 'http://host') : undefined
  if (url === undefined) throw new ApiError('bad_request', 'the path can not be read')
  const verb = request.method ?? 'GET'
  refuseOtherSites(request, deps.openHosts)
  const page = verb === 'GET' ? pageOf(url.pathname) : undefined
  if (page !== undefined) return page
  const match = findRoute(verb, url.pathname)
  const source = request.socket.remoteAddress ?? ''
  const caller = admit(deps, match.method, request.headers.authorization, source)
  return JSON.stringify(await call(request, url, match, caller, deps))
}

/** Never rejects. */
export async function handle(request: IncomingMessage, response: ServerResponse, deps: RestDeps): Promise<void> {
  try {
    const body = await answer(request, deps)
    countOutcome(deps.counts, 'done')
    send(response, 200, body)
  } catch (error) {
    const known = asApiError(error, deps)
    countOutcome(deps.counts, known.code)
    if (response.headersSent) return
    if (request.complete) return send(response, known.http, JSON.stringify(known), known.headers)
    // What is still to come of the body is of no use, but who still sends must be able to read the answer.
    write(response, known.http, JSON.stringify(known), { ...known.headers, connection: 'close' })
    await drain(request)
    response.end()
  }
}
