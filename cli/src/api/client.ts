// SPDX-License-Identifier: MIT
//
// The admin API as the verbs call it: where it is, who we are, JSON there and back, and its errors as sentences.
import { readFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Config, consoleConfig, wantsTls } from '@tandem/service-kit'
import { hostPort } from '../addresses.ts'
import { CommandFailed } from '../command-failed.ts'

const SILENCE_MS = 150_000
const MAX_ANSWER_CHARS = 268_435_456

export interface ApiFlags {
  readonly config?: string
  readonly api?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly ca?: string
}

type Env = Readonly<Record<string, string | undefined>>

/** Problems with documents, one line each, instead of the sentence of the error. */
interface ApiErrorBody {
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly todo: string
    readonly problems?: readonly ApiProblem[]
  }
}

export interface ApiProblem {
  readonly file?: string
  readonly line?: number
  readonly column?: number
  readonly path?: string
  readonly expected: string
}

/** `file:line:column: path: what was expected` */
export function problemLine({ file, line, column, path, expected }: ApiProblem): string {
  const place = [file, line, column].filter((part) => part !== undefined && part !== '').join(':')
  return [place, path, expected].filter((part) => part !== undefined && part !== '').join(': ')
}

function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    throw new CommandFailed(`${file} can not be read (${what}).`)
  }
}

function tokenFrom({ token, tokenFile }: ApiFlags, env: Env): string | undefined {
  if (token !== undefined) return token
  const file = tokenFile ?? (env.TANDEM_TOKEN ? undefined : env.TANDEM_TOKEN_FILE)
  return file ? readText(file, 'token').trim() : env.TANDEM_TOKEN || undefined
}

const reachable = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host)

/** As the cluster file has it. */
function ownUrl(config: Config): string {
  const { address, bindAddress, port, tls } = consoleConfig(config)
  if (address !== '') return address
  return `${wantsTls({ bindAddress, tls }) ? 'https' : 'http'}://${hostPort(reachable(bindAddress), port)}`
}

/** The certificate that an API on this machine has made itself, where it is here. */
function ownCa(config: Config): string | undefined {
  const { certFile, folder } = consoleConfig(config).tls
  if (certFile !== '') return undefined
  try {
    return readFileSync(join(folder, 'console-cert.pem'), 'utf8')
  } catch {
    return undefined
  }
}

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

export interface ApiRequest {
  readonly query?: Query
  readonly body?: object
  /** NDJSON, in the place of `body`. */
  readonly lines?: Iterable<string>
}

function pathOf(path: string, query: Query = {}): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    const values = Array.isArray(value) ? (value as readonly string[]) : [value]
    for (const one of values) if (one !== undefined && one !== '' && one !== false) params.append(name, String(one))
  }
  return params.size === 0 ? path : `${path}?${params}`
}

export class ApiClient {
  readonly url: string
  readonly #token: string | undefined
  readonly #ca: string | undefined

  /** @param config loaded only where `flags` and the environment do not say enough */
  constructor(flags: ApiFlags, config: () => Config, env: Env = process.env) {
    const given = flags.api ?? (env.TANDEM_API || undefined)
    this.url = (given ?? ownUrl(config())).replace(/\/+$/, '')
    if (!/^https?:\/\/[^/]+/.test(this.url))
      throw new CommandFailed(`${this.url} is no URL: expected such as https://api.example.com:8080.`)
    this.#token = tokenFrom(flags, env)
    const ca = flags.ca ?? (env.TANDEM_CA || undefined)
    this.#ca = ca !== undefined ? readText(ca, 'CA') : given === undefined ? ownCa(config()) : undefined
  }

  /** Throws `CommandFailed`: it does not answer, or what it says is wrong. */
  async call<T>(verb: 'GET' | 'POST' | 'DELETE', path: string, { query, body, lines }: ApiRequest = {}): Promise<T> {
    const type = lines === undefined ? 'application/json' : 'application/x-ndjson'
    const content = lines ?? (body === undefined ? undefined : [JSON.stringify(body)])
    const response = await this.#send(verb, pathOf(path, query), type, content)
    const text = await textOf(response)
    const answer = parse(text)
    if ((response.statusCode ?? 500) < 300 && answer !== undefined) return answer as T
    throw this.#failure(response.statusCode ?? 0, answer as ApiErrorBody | undefined)
  }

  async #send(
    verb: string,
    path: string,
    type: string,
    content: Iterable<string> | undefined,
  ): Promise<IncomingMessage> {
    const isTls = this.url.startsWith('https:')
    const options: RequestOptions & { ca?: string } = {
      method: verb,
      timeout: SILENCE_MS,
      headers: {
        accept: 'application/json',
        ...(content !== undefined && { 'content-type': type }),
        ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
      },
      ...(isTls && this.#ca !== undefined && { ca: this.#ca }),
    }
    const request = (isTls ? httpsRequest : httpRequest)(this.url + path, options)
    request.on('timeout', () => request.destroy(new Error('it is silent')))
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve)
      request.on('error', reject)
    })
    // An answer may come before all is sent: what is wrong with sending is then of no interest.
    void pipeline(Readable.from(content ?? []), request).catch(() => undefined)
    return answered.catch((error: Error) => {
      const todo = /certificate/i.test(error.message)
        ? 'Take its certificate, or that of its authority, by --ca.'
        : 'Is `tandem up` running? Is --api right?'
      throw new CommandFailed(`the admin API at ${this.url} does not answer (${error.message}). ${todo}`)
    })
  }

  #failure(status: number, answer: ApiErrorBody | undefined): CommandFailed {
    const { error } = answer ?? {}
    if (error === undefined) return new CommandFailed(`${this.url} answered ${status}, and not as the admin API does.`)
    const { code, message, todo, problems = [] } = error
    if (problems.length > 0) return new CommandFailed(`nothing was applied:\n${problems.map(problemLine).join('\n')}`)
    return new CommandFailed(`${message} (${code}): ${todo}.`)
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = ''
  response.setEncoding('utf8')
  for await (const chunk of response) {
    text += chunk as string
    if (text.length > MAX_ANSWER_CHARS) throw new CommandFailed('the answer of the admin API is too long.')
  }
  return text
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
