// SPDX-License-Identifier: MIT
//
// From a fresh clone to a built tree, under any Node ≥ 20 with npm beside it: the locked Node of toolchain/ where the
// machine's is too old, packages by `npm ci`, output by `tsc -b`. Each step leaves a stamp and is skipped while it holds.
// Plain JavaScript without dependencies: it runs before anything is installed. Race: two first starts at once are not told apart.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const CACHE = '.cache'
const MINIMUM = [22, 18]
const SOURCE_ROOTS = ['packages', 'services', 'cli']
const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'bench'])

/** Whether a version like `v22.18.0` is new enough to run the project. */
export function isSupportedNode(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number)
  return major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])
}

/** One progress line on standard error, so that standard output belongs to the command. */
export function say(text) {
  process.stderr.write(`${text}\n`)
}

/** Ends the process with a sentence. */
export function fail(text, code = 1) {
  say(text)
  process.exit(code)
}

/** Whether a program of this name is on the PATH. */
export function isOnPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
}

const hash = (text) => createHash('sha256').update(text).digest('hex')
const readIfThere = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined)

/** `true` when the stamp file holds exactly this value. */
export function stampHolds(file, value) {
  return readIfThere(file) === value
}

export function writeStamp(file, value) {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, value)
}

function* sourceFiles(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (!SKIPPED_FOLDERS.has(entry.name)) yield* sourceFiles(path)
    } else if (/\.(ts|lua|json|c|h)$/.test(entry.name)) yield path
  }
}

/** Hash over name, size and time of every file that the build reads. Changes when a file is edited, added or removed. */
export function sourceStamp(root) {
  const roots = SOURCE_ROOTS.map((name) => join(root, name)).filter(existsSync)
  const tops = ['tsconfig.json', 'tsconfig.base.json', 'package-lock.json']
    .map((name) => join(root, name))
    .filter(existsSync)
  const files = [...tops, ...roots.flatMap((folder) => [...sourceFiles(folder)])].sort()
  return hash(files.map((file) => stampLine(root, file)).join('\n'))
}

function stampLine(root, file) {
  const { size, mtimeMs } = statSync(file)
  return `${file.slice(root.length)} ${size} ${mtimeMs}`
}

/** npm's own script, so that npm can run under a Node of our choice. */
export function findNpmCli(env = process.env) {
  const besideNode = join(dirname(dirname(process.execPath)), 'lib/node_modules/npm/bin/npm-cli.js')
  const onPath = (env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'npm'))
  const candidates = [env.npm_execpath, besideNode, ...onPath].filter((file) => file && existsSync(file))
  return candidates.map((file) => realpathSync(file)).find((file) => /npm-cli\.c?js$/.test(file))
}

/** Runs a program and shows its output only when it fails, and not even then with `quiet`. Returns its exit status. */
export function runQuietly(command, args, { cwd = ROOT, env = process.env, timeoutMs = 900_000, quiet = false } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: timeoutMs,
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (result.status !== 0 && !quiet)
    say(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error ? result.error.message : ''}`.trimEnd())
  return result.status ?? 1
}

function npm(args, cwd) {
  const cli = findNpmCli()
  if (!cli) fail('npm was not found: it comes with Node.js; install it and start again.')
  return runQuietly(process.execPath, [cli, ...args, '--no-fund', '--no-audit', '--loglevel=error'], { cwd })
}

/** Path of the toolchain's node for this machine, undefined where there is none. */
function toolchainNode() {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return undefined
  return join(ROOT, 'toolchain', 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
}

function installToolchain(node) {
  const lock = hash(readFileSync(join(ROOT, 'toolchain', 'package-lock.json')))
  const stamp = join(ROOT, 'toolchain', 'node_modules', '.tandem-lock')
  if (existsSync(node) && (stampHolds(stamp, lock) || !existsSync(stamp))) return
  say(`tandem: Node ${process.version} is older than ${MINIMUM.join('.')}; installing the project's own (once) …`)
  if (npm(['ci'], join(ROOT, 'toolchain')) !== 0 || !existsSync(node))
    fail('tandem: the toolchain could not be installed (see above).')
  writeStamp(stamp, lock)
}

/** Passes signals on to a child and ends as it ends. Never returns. */
function becomeChild(child) {
  const pass = (signal) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, pass)
  child.on('error', (error) => fail(`tandem: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1)))
  return new Promise(() => undefined)
}

/** Makes sure that this process runs under a supported Node: else runs `script` again under the toolchain's and ends as it ends. */
export async function ensureNode(script) {
  if (isSupportedNode(process.version)) return
  const node = toolchainNode()
  if (!node) fail(`tandem: Node ${process.version} is too old; install Node ${MINIMUM.join('.')} or newer.`)
  installToolchain(node)
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` }
  await becomeChild(spawn(node, [script, ...process.argv.slice(2)], { stdio: 'inherit', env }))
}

/** `npm ci` when packages are missing or older than the lock. */
export function ensureInstalled() {
  const lockFile = join(ROOT, 'package-lock.json')
  const modules = join(ROOT, 'node_modules')
  const stamp = join(modules, '.tandem-lock')
  const lock = hash(readFileSync(lockFile))
  if (stampHolds(stamp, lock)) return
  if (!existsSync(stamp) && isFresherThan(join(modules, '.package-lock.json'), lockFile)) return writeStamp(stamp, lock)
  say('tandem: installing packages …')
  if (npm(['ci'], ROOT) !== 0) fail('tandem: npm ci failed (see above).')
  writeStamp(stamp, lock)
}

function isFresherThan(file, other) {
  return existsSync(file) && statSync(file).mtimeMs >= statSync(other).mtimeMs
}

function ensureCompiled() {
  const stamp = join(ROOT, CACHE, 'build.stamp')
  const value = sourceStamp(ROOT)
  if (stampHolds(stamp, value) && existsSync(join(ROOT, 'cli', 'dist', 'main.js'))) return
  say('tandem: building …')
  if (runQuietly(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-b']) !== 0)
    fail('tandem: the build failed (see above).')
  writeStamp(stamp, value)
}

/**
 * `tsc -b` when a source has changed since the last build that succeeded, and the native addons for this Node. A machine that can't compile
 * C does without: the addon says why, and whoever opens a socket logs it.
 */
export function ensureBuilt() {
  ensureCompiled()
  const stamp = join(ROOT, CACHE, `addon-${process.platform}-${process.arch}-${process.versions.modules}.stamp`)
  const value = sourceStamp(ROOT)
  if (stampHolds(stamp, value)) return
  const addon = join(ROOT, 'packages', 'transport', 'dist', 'build-addons.js')
  if (runQuietly(process.execPath, [addon, '--require'], { quiet: true }) === 0) writeStamp(stamp, value)
}
