// SPDX-License-Identifier: MIT
//
// What the verbs of the admin API do, on standard output.
import { readSettings } from '../settings.ts'
import { apply, diff, remove, rollback } from './apply.ts'
import { ApiClient, type ApiFlags } from './client.ts'
import { keyOf, kindOf, nameOf } from './kinds.ts'
import { describe, exportAll, getOne, history, list } from './read.ts'
import type { ApiActions } from './verbs.ts'

const apiOf = (flags: ApiFlags): ApiClient => new ApiClient(flags, () => readSettings(flags))

interface Output {
  readonly print: (text: string) => void
  readonly writeLine: (text: string) => Promise<void>
  readonly setStatus: (status: number) => void
}

export function apiActions({ print, writeLine, setStatus }: Output): ApiActions {
  return {
    async apply(flags) {
      print(await apply(apiOf(flags), flags, flags.output))
    },
    async diff(flags) {
      const { text, differs } = await diff(apiOf(flags), flags, flags.output)
      print(text)
      if (differs && flags.exitCode) setStatus(1)
    },
    async get(kind, name, flags) {
      const api = apiOf(flags)
      print(
        name === undefined
          ? await list(api, kind, flags, flags.output)
          : await getOne(api, nameOf(kindOf(kind), name, flags.domain), flags.output),
      )
    },
    async describe(kind, name, flags) {
      print(await describe(apiOf(flags), nameOf(kindOf(kind), name, flags.domain), flags.output))
    },
    async delete(kind, names, flags) {
      const keys = names.map((name) => keyOf(nameOf(kindOf(kind ?? ''), name, flags.domain)))
      print(await remove(apiOf(flags), keys, flags, flags.output))
    },
    async exportResources(flags) {
      for await (const page of exportAll(apiOf(flags), flags)) await writeLine(page)
    },
    async history(flags) {
      print(await history(apiOf(flags), flags, flags.output))
    },
    async rollback(revision, flags) {
      print(await rollback(apiOf(flags), revision, flags, flags.output))
    },
    async createToken(flags) {
      const { createToken } = await import('./token.ts')
      print(createToken(flags, flags.output))
    },
  }
}
