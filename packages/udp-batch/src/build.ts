// SPDX-License-Identifier: MIT
// Builds an addon by one call of the C compiler against the headers that came with the Node that runs this. No Python, no node-gyp. Where it
// can't be built the reason is kept beside the place of the addon, for the log line of whoever does without.
// Race: two builds at once each write a file of their own and rename it; the last one stays, and both are the same.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { builtIn, type Place, placeOf } from './place.ts'

export type BuildResult =
  | { readonly state: 'current' | 'built'; readonly file: string }
  | { readonly state: 'unavailable'; readonly reason: string }

export interface BuildOptions {
  /** PATH and CC are read. */
  readonly env?: NodeJS.ProcessEnv
  /** The folder of the package whose native/ is built; this one's where absent. */
  readonly root?: string
  /** Of the addon. */
  readonly name?: string
  readonly platform?: string
  /** The Node whose headers are taken. */
  readonly execPath?: string
}

const FLAGS = ['-O2', '-std=c11', '-D_GNU_SOURCE', '-DNAPI_VERSION=8', '-fPIC', '-shared', '-fvisibility=hidden']
const WARNINGS = ['-Wall', '-Wextra']
const COMPILERS = ['cc', 'gcc', 'clang']
const LONGEST_MS = 120_000

/** Builds what is missing. Never throws for a machine that can't: `unavailable`, with a sentence's worth of reason. */
export function buildAddon(options: BuildOptions = {}): BuildResult {
  const place = placeOf(options.root, options.name)
  if ((options.platform ?? process.platform) !== 'linux') return { state: 'unavailable', reason: 'this is not Linux' }
  if (place.file !== undefined && existsSync(place.file)) return { state: 'current', file: place.file }
  const reason = compile(place, options)
  if (reason !== undefined || place.file === undefined) return unavailable(place, reason ?? 'no sources')
  rmSync(place.reasonFile, { force: true })
  for (const old of builtIn(place.folder, options.name)) if (old !== place.file) rmSync(old, { force: true })
  return { state: 'built', file: place.file }
}

function unavailable(place: Place, reason: string): BuildResult {
  mkdirSync(place.folder, { recursive: true })
  writeFileSync(place.reasonFile, reason)
  return { state: 'unavailable', reason }
}

/** Undefined, or why there is no addon. */
function compile(place: Place, options: BuildOptions): string | undefined {
  const env = options.env ?? process.env
  if (place.file === undefined) return 'its sources are not there'
  const compiler = compilerOf(env)
  if (compiler === undefined) return `no C compiler on the PATH (${COMPILERS.join(', ')}, or CC)`
  const headers = headersOf(options.execPath ?? process.execPath)
  if (headers === undefined) return `no headers of Node ABI ${process.versions.modules} beside ${process.execPath}`
  mkdirSync(place.folder, { recursive: true })
  const made = `${place.file}.${process.pid}.tmp`
  const [command = 'cc', ...first] = compiler
  const args = [...first, ...FLAGS, ...WARNINGS, `-I${headers}`, '-o', made, ...place.sources]
  const { status, stderr, error } = spawnSync(command, args, { env, encoding: 'utf8', timeout: LONGEST_MS })
  if (status !== 0) {
    rmSync(made, { force: true })
    return `${command} failed: ${firstError(error?.message ?? stderr)}`
  }
  renameSync(made, place.file)
  return undefined
}

function firstError(text: string): string {
  const lines = text.split('\n')
  return (lines.find((line) => line.includes('error')) ?? lines[0] ?? '').slice(0, 300)
}

/** Command and arguments: CC may hold both, as in `ccache gcc`. */
function compilerOf(env: NodeJS.ProcessEnv): readonly string[] | undefined {
  const given = (env.CC ?? '').split(/\s+/).filter((word) => word !== '')
  if (given.length > 0) return given
  const folders = (env.PATH ?? '').split(delimiter)
  const found = COMPILERS.find((name) => folders.some((folder) => existsSync(join(folder, name))))
  return found === undefined ? undefined : [found]
}

/** include/node of the Node that runs, with its own ABI and libuv's header; other Nodes' headers are refused. */
function headersOf(execPath: string): string | undefined {
  const prefix = dirname(dirname(realpathSync(execPath)))
  const folder = join(prefix, 'include', 'node')
  const isThere = ['node_api.h', 'uv.h', 'node_version.h'].every((name) => existsSync(join(folder, name)))
  if (!isThere) return undefined
  const abi = /#define NODE_MODULE_VERSION (\d+)/.exec(readFileSync(join(folder, 'node_version.h'), 'utf8'))?.[1]
  return abi === process.versions.modules ? folder : undefined
}
