// SPDX-License-Identifier: MIT
//
// The body of a request, bounded while it comes: whole as JSON, or as texts of documents to apply.
import type { IncomingMessage } from 'node:http'
import type { SourcePart } from '../backends.ts'
import { ApiError } from '../errors.ts'
import { depthOf } from '../json.ts'

/** Stops brackets that would take a parser's stack. Nothing of the definition is half as deep. */
const MAX_DEPTH = 64

export type BodyKind = 'json' | 'yaml' | 'ndjson' | 'none'

const KINDS: Readonly<Record<string, BodyKind>> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/x-yaml': 'yaml',
  'text/yaml': 'yaml',
  'application/x-ndjson': 'ndjson',
}

/** By Content-Type. Throws `ApiError`. */
export function bodyKind({ headers }: IncomingMessage): BodyKind {
  const isEmpty = headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0'
  if (isEmpty) return 'none'
  const type = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const kind = KINDS[type]
  if (kind === undefined) throw new ApiError('unsupported_media', `a body of type ${type || '(none)'} is not read here`)
  return kind
}

const tooLarge = (limit: number, setting: string): never => {
  throw new ApiError('too_large', `the body is above ${limit} bytes (console.${setting})`, {
    headers: { connection: 'close' },
  })
}

/** Chunks as they come, with a bound for all of them. */
export async function* bounded(request: IncomingMessage, limit: number, setting: string): AsyncGenerator<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) tooLarge(limit, setting)
  let bytes = 0
  try {
    // Not destroyed with the loop: that would close the connection before there is an answer.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > limit) tooLarge(limit, setting)
      yield chunk
    }
  } catch (error) {
    if (error instanceof ApiError) throw error
    throw new ApiError('too_slow', 'the body broke off', { headers: { connection: 'close' } })
  }
}

/** Throws `ApiError`. */
export function parseJson(text: string): unknown {
  if (depthOf(text) > MAX_DEPTH) throw new ApiError('bad_json', `brackets stand more than ${MAX_DEPTH} deep`)
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new ApiError('bad_json', `the body is not JSON${placeIn(text, error)}`)
  }
}

/** The engine's own message may quote the body, in which a password may stand. */
function placeIn(text: string, error: unknown): string {
  const at = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
  if (at === undefined) return ''
  const before = text.slice(0, Number(at)).split('\n')
  return ` (line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1})`
}

export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of bounded(request, maxBytes, 'maxBodyBytes')) chunks.push(chunk)
  return parseJson(Buffer.concat(chunks).toString('utf8'))
}

/** One text, in the pieces in which it comes. */
export async function* yamlParts(request: IncomingMessage, file: string, maxBytes: number): AsyncGenerator<SourcePart> {
  for await (const text of bounded(request, maxBytes, 'maxApplyBytes')) yield { file, text }
}

interface Line {
  readonly file?: unknown
  readonly text?: unknown
}

/** `{"file": "a.yaml", "text": "…"}` a line. */
export async function* ndjsonParts(
  request: IncomingMessage,
  maxBytes: number,
  maxLineBytes: number,
): AsyncGenerator<SourcePart> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of bounded(request, maxBytes, 'maxApplyBytes')) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > maxLineBytes) tooLarge(maxLineBytes, 'maxBodyBytes')
    for (const line of lines) if (line.trim() !== '') yield partOf(line)
  }
  if (rest.trim() !== '') yield partOf(rest)
}

function partOf(line: string): SourcePart {
  const { file, text } = parseJson(line) as Line
  if (typeof file !== 'string' || typeof text !== 'string')
    throw new ApiError('bad_request', 'each line needs the texts file and text')
  return { file, text: Buffer.from(text) }
}
