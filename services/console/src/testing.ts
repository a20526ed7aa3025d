// SPDX-License-Identifier: MIT
//
// The admin API for tests: on free ports of loopback, before services that answer by hand.
import { done, resources } from '@tandem/rpc'
import { type ConsoleConfig, consoleConfig, loadConfig } from '@tandem/service-kit'
import type { Backends } from './backends.ts'
import { type ConsoleService, createConsoleService } from './service.ts'

export interface Asked {
  readonly method: string
  readonly request: unknown
}

/** Services that note what they are asked, and answer `answers[method]`, or nothing in particular. */
export function handAnswered(answers: Readonly<Record<string, (request: never) => unknown>> = {}) {
  const asked: Asked[] = []
  const take = async (method: string, request: unknown) => {
    asked.push({ method, request })
    const answer = answers[method]
    const value = answer === undefined ? {} : answer(request as never)
    return typeof value === 'object' && value !== null && 'outcome' in value ? (value as never) : (done(value) as never)
  }
  const call = (method: string, request: unknown) => take(method, request)
  const named = (method: string) => (request: unknown) => take(method, request)
  const backends: Backends = {
    ready: () => true,
    policy: { call },
    location: { call },
    resources: {
      apply: async (options, sources) => {
        const texts: string[] = []
        for await (const { file, text } of sources) texts.push(`${file}: ${Buffer.from(text).toString()}`)
        return take('apply', { options, texts })
      },
      get: named('get'),
      list: named('list'),
      delete: named('delete'),
      export: named('export'),
      listHistory: named('listHistory'),
      rollback: named('rollback'),
      getHead: named('getHead'),
    },
    close: async () => undefined,
  }
  return { backends, asked }
}

export const applied = (more: Partial<resources.ApplyResponse> = {}): resources.ApplyResponse =>
  resources.ApplyResponse.fromPartial({ applied: true, added: 1, head: { revision: 7n }, ...more })

export interface TestConsole {
  readonly service: ConsoleService
  readonly config: ConsoleConfig
  /** `http://127.0.0.1:4711` */
  readonly url: string
  readonly lines: object[]
}

/** @param flags settings by dotted path */
export async function startConsole(
  backends: Backends,
  flags: Readonly<Record<string, unknown>> = {},
): Promise<TestConsole> {
  const config = consoleConfig(
    loadConfig({
      env: {},
      flags: {
        'cluster.secrets': [{ id: 1, secret: 'a secret for tests only' }],
        'console.port': 0,
        'console.grpcPort': 0,
        'console.audit.file': '',
        ...flags,
      },
    }),
  )
  const lines: object[] = []
  const note = (what: unknown) => void lines.push(what as object)
  const service = createConsoleService({ config, backends, logger: { info: note, warn: note, error: note } })
  await service.start()
  const scheme = lines.some((line) => typeof line === 'object' && 'fingerprint' in line) ? 'https' : 'http'
  return { service, config, url: `${scheme}://127.0.0.1:${service.ports.rest}`, lines }
}
