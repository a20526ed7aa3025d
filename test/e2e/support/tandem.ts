// SPDX-License-Identifier: MIT
// The command `tandem` as people run it: a process with its own standard output, error output and exit status.
import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../../..')
const MAIN = join(ROOT, 'cli/dist/main.js')
const MAX_MS = 20_000

export interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
}

export function runTandem(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
): Promise<Ran> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      timeout: MAX_MS,
    })
    let [out, err] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text
    })
    child.on('error', fail)
    child.on('close', (code) => done({ status: code ?? -1, out, err }))
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
