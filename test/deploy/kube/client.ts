// SPDX-License-Identifier: MIT
//
// The Kubernetes API as tests need it: requests with the warnings that came with the answer, and server-side apply of any kind.
import { request } from 'node:https'

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly [field: string]: unknown
}

export interface Answer {
  readonly status: number
  readonly body: { readonly [field: string]: unknown }
  /** What the server says of a failure, '' where it says nothing. */
  readonly message: string
  /** Of the header Warning: unknown and deprecated fields, what Pod Security objects to. */
  readonly warnings: readonly string[]
}

interface Sent {
  readonly body?: object
  readonly type?: string
  readonly token?: string
}

interface Kinds {
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[]
}

const TIMEOUT_MS = 20_000
const textsOf = (header: string | undefined): string[] =>
  [...(header ?? '').matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text)

export class KubeApi {
  readonly base: string
  readonly #ca: string
  readonly #token: string
  readonly #kinds = new Map<string, Promise<Kinds>>()

  constructor(base: string, ca: string, token: string) {
    this.base = base
    this.#ca = ca
    this.#token = token
  }

  /** Rejects where nobody answers. */
  send(method: string, path: string, { body, type = 'application/json', token = this.#token }: Sent = {}) {
    const text = body === undefined ? '' : JSON.stringify(body)
    const headers = { authorization: `Bearer ${token}`, ...(text !== '' && { 'content-type': type }) }
    return new Promise<Answer>((done, fail) => {
      const options = { method, headers, ca: this.#ca, timeout: TIMEOUT_MS, agent: false }
      const sent = request(`${this.base}${path}`, options, (response) => {
        let answered = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          answered += part
        })
        response.on('error', fail).on('end', () => {
          const parsed = (answered.startsWith('{') ? JSON.parse(answered) : {}) as Answer['body']
          const warnings = textsOf(response.headers.warning)
          done({ status: response.statusCode ?? 0, body: parsed, message: String(parsed.message ?? ''), warnings })
        })
      })
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer`)))
      sent.on('error', fail).end(text)
    })
  }

  isReady(): Promise<boolean> {
    return this.send('GET', '/readyz').then(
      ({ status }) => status === 200,
      () => false,
    )
  }

  /** Whether all of these custom definitions are served. */
  async areEstablished(names: readonly string[]): Promise<boolean> {
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    const found = await Promise.all(names.map((name) => this.send('GET', `${path}/${name}`)))
    return found.every(({ body }) => JSON.stringify(body.status ?? {}).includes('Established'))
  }

  /** Path of an object, or with `name` '' of its collection. */
  async pathOf({ apiVersion, kind, metadata }: KubeObject, name = metadata.name): Promise<string> {
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    const kinds = this.#kinds.get(root) ?? this.send('GET', root).then(({ body }) => body as unknown as Kinds)
    this.#kinds.set(root, kinds)
    const found = (await kinds).resources?.find((one) => one.kind === kind && !one.name.includes('/'))
    if (found === undefined) throw new Error(`the API server knows no ${kind} of ${apiVersion}`)
    const scope = found.namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : ''
    return `${root}${scope}/${found.name}${name && `/${name}`}`
  }

  /** Server-side apply; unknown and repeated fields are errors unless `validation` says otherwise. */
  async apply(object: KubeObject, { dryRun = false, validation = 'Strict', manager = 'test' } = {}): Promise<Answer> {
    const query = `fieldManager=${manager}&force=true&fieldValidation=${validation}${dryRun ? '&dryRun=All' : ''}`
    const path = await this.pathOf(object)
    return this.send('PATCH', `${path}?${query}`, { body: object, type: 'application/apply-patch+yaml' })
  }

  /** A token of a service account, as a pod gets one. */
  async tokenOf(namespace: string, account: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }
    const answer = await this.send('POST', path, { body })
    if (answer.status !== 201) throw new Error(`${account}: ${answer.message}`)
    return (answer.body.status as { token: string }).token
  }
}
