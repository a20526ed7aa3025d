// SPDX-License-Identifier: MIT
//
// What a kubelet would do with the chart's small programs: a container's command with its environment, and the token of its service account.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import type { RunningApiServer } from './api-server.ts'

const PROGRAMS = resolve(import.meta.dirname, '../../../deploy/kubernetes')

export interface Container {
  readonly command: readonly string[]
  readonly env: readonly { readonly name: string; readonly value?: string }[]
}

export interface Ended {
  readonly status: number | null
  readonly err: string
  /** Of its service account. */
  readonly token: string
}

/** @param more environment that is stronger than the container's */
export async function runProgram(
  server: RunningApiServer,
  namespace: string,
  account: string,
  { command, env }: Container,
  more: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const token = await server.api.tokenOf(namespace, account)
  const folder = mkdtempSync(join(tmpdir(), 'tandem-pod-'))
  writeFileSync(join(folder, 'token'), token, { mode: 0o600 })
  writeFileSync(join(folder, 'namespace'), namespace)
  const given = Object.fromEntries(env.map(({ name, value = '' }) => [name, value]))
  const here = { NODE_EXTRA_CA_CERTS: server.caFile, KUBERNETES_API: server.api.base, TOKEN_FOLDER: folder }
  const program = join(PROGRAMS, basename(command[1] ?? ''))
  const child = spawn(process.execPath, ['--conditions=@tandem/source', program], {
    env: { PATH: process.env.PATH, ...given, ...here, ...more },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 60_000,
  })
  let err = ''
  child.stderr.on('data', (text: Buffer) => {
    err += text.toString()
  })
  const status = await new Promise<number | null>((done) => child.on('close', done))
  rmSync(folder, { recursive: true })
  return { status, err, token }
}
