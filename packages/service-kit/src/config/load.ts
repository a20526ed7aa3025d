// SPDX-License-Identifier: MIT
//
// File < environment TANDEM_* < flags, then the closed schema. Environment names that belong to no setting are left alone:
// Kubernetes puts TANDEM_…_SERVICE_HOST and the like beside ours. No secret is part of an error's text.
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import type { z } from 'zod'
import { ConfigError, type ConfigIssue } from '../errors.ts'
import { parseKeyRing } from '../key-ring-file.ts'
import { type Leaf, leaves } from './leaves.ts'
import { type Config, configSchema } from './schema.ts'

/** Where settings come from; each overrides the one before it. */
export interface ConfigSources {
  /** Path of the cluster file. */
  readonly file?: string | undefined
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Dotted path → value, e.g. `{ 'edge.basePort': 5060 }`; undefined values are skipped. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** Dotted path → value, taken where nothing else sets the path. */
  readonly defaults?: Readonly<Record<string, unknown>>
}

type Tree = { [key: string]: unknown }
type Origins = Map<string, string>

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

function unreadable(file: string, expected: string): ConfigError {
  return new ConfigError([{ path: file, origin: 'file', expected }], 'config_unreadable')
}

function readDocuments(file: string): unknown[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadable(file, `expected a readable file (${(error as NodeJS.ErrnoException).code ?? 'error'})`)
  }
  return parseAllDocuments(text).map((document) => {
    const problem = document.errors[0]
    if (problem) throw unreadable(file, `expected YAML: ${problem.message.split('\n')[0]}`)
    return document.toJS() as unknown
  })
}

/** The settings document, with resource documents that follow it in the file moved under `resources.documents`. */
function readTree(file: string): Tree {
  const documents = readDocuments(file).filter((document) => document !== null)
  if (!documents.every(isTree)) throw unreadable(file, 'expected every YAML document to be a map')
  const settings = documents.filter((document) => !('kind' in document))
  if (settings.length > 1) throw unreadable(file, 'expected one settings document; the others need a `kind`')
  const tree = settings[0] ?? {}
  const inline = documents.filter((document) => 'kind' in document)
  if (inline.length > 0) addDocuments(tree, inline)
  return tree
}

function addDocuments(tree: Tree, inline: Tree[]): void {
  const section = isTree(tree.resources) ? tree.resources : {}
  const present = Array.isArray(section.documents) ? (section.documents as unknown[]) : []
  tree.resources = { ...section, documents: [...present, ...inline] }
}

function resolveFiles(parsed: z.output<typeof configSchema>, file: string | undefined): Config {
  const baseDir = file === undefined ? process.cwd() : dirname(resolve(file))
  const files = parsed.resources.files.map((name) => resolve(baseDir, name))
  return { ...parsed, resources: { ...parsed.resources, files }, baseDir }
}

/** Sets a path; a value on the way that is not a map is left for the schema to refuse. */
function setPath(tree: Tree, path: readonly string[], value: unknown): void {
  let at = tree
  for (const key of path.slice(0, -1)) {
    const next = at[key] ?? {}
    if (!isTree(next)) return
    at[key] = next
    at = next
  }
  at[path.at(-1) as string] = value
}

/** Text of the environment as the setting's type; what does not fit stays text and is refused by the schema. */
function fromText(leaf: Leaf, text: string): unknown {
  if (leaf.type === 'string') return text
  if (leaf.type === 'array' && leaf.path.at(-1) !== 'secrets' && !text.trim().startsWith('[')) return text.split(',')
  try {
    return parse(text) as unknown
  } catch {
    return text
  }
}

function applyEnvironment(tree: Tree, env: Readonly<Record<string, string | undefined>>, origins: Origins): void {
  for (const leaf of leaves()) {
    const text = env[leaf.env]
    if (text === undefined || text === '') continue
    setPath(tree, leaf.path, fromText(leaf, text))
    origins.set(leaf.path.join('.'), leaf.env)
  }
}

function hasPath(tree: Tree, path: readonly string[]): boolean {
  let at: unknown = tree
  for (const key of path) at = isTree(at) ? at[key] : undefined
  return at !== undefined
}

function applyDefaults(tree: Tree, defaults: Readonly<Record<string, unknown>>): void {
  for (const [path, value] of Object.entries(defaults)) {
    const keys = path.split('.')
    if (!hasPath(tree, keys)) setPath(tree, keys, value)
  }
}

function applyFlags(tree: Tree, flags: Readonly<Record<string, unknown>>, origins: Origins): void {
  for (const [path, value] of Object.entries(flags)) {
    if (value === undefined) continue
    setPath(tree, path.split('.'), value)
    origins.set(path, 'flag')
  }
}

function originOf(path: string, origins: Origins, file: string | undefined): string {
  for (const [known, origin] of origins) if (path === known || path.startsWith(`${known}.`)) return origin
  return file ?? 'default'
}

/** zod's words as what was expected there. */
function explain(message: string): string {
  const text = message.replace(/^Invalid (input|option): /, '')
  return text.replace(/^Too (big|small): /, '').replace(/, received undefined$/, ', but it is missing')
}

function issuesOf(error: z.ZodError, origins: Origins, file: string | undefined): ConfigIssue[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.join('.')
    const paths = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => (path ? `${path}.${key}` : key)) : [path]
    const expected = issue.code === 'unrecognized_keys' ? 'expected no such key' : explain(issue.message)
    return paths.map((full) => ({ path: full || '(the whole file)', origin: originOf(full, origins, file), expected }))
  })
}

/** The ring of `cluster.secretsFile` becomes `cluster.secrets`; both at once are an error, for one of them would be forgotten. */
function readKeyRingFile(tree: Tree, origins: Origins): void {
  const cluster = isTree(tree.cluster) ? tree.cluster : {}
  const file = cluster.secretsFile
  if (typeof file !== 'string' || file === '') return
  const path = 'cluster.secretsFile'
  const origin = origins.get(path) ?? 'file'
  const wrong = (expected: string) => new ConfigError([{ path, origin, expected }])
  if (cluster.secrets !== undefined) throw wrong('expected either this or `cluster.secrets`, not both')
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw wrong(`expected a readable file (${(error as NodeJS.ErrnoException).code ?? 'error'})`)
  }
  const ring = parseKeyRing(text)
  if (ring === undefined) {
    throw wrong('expected a file with a list of { id, secret }, each id once, each secret at least 16 characters')
  }
  setPath(tree, ['cluster', 'secrets'], structuredClone(ring))
  origins.set('cluster.secrets', path)
}

/** @param apart stays as it is: whoever reads it changes it */
function freeze<T>(value: T, apart: unknown): T {
  if (typeof value === 'object' && value !== null && value !== apart && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) freeze(inner, apart)
  }
  return value
}

/** Reads, merges and validates. Throws `ConfigError` (exit status 78) listing every bad key. */
export function loadConfig({ file, env = process.env, flags = {}, defaults = {} }: ConfigSources): Config {
  const tree = file === undefined ? {} : readTree(file)
  const origins: Origins = new Map()
  applyEnvironment(tree, env, origins)
  applyFlags(tree, flags, origins)
  readKeyRingFile(tree, origins)
  applyDefaults(tree, { cluster: {}, ...defaults })
  const parsed = configSchema.safeParse(tree)
  if (!parsed.success) throw new ConfigError(issuesOf(parsed.error, origins, file))
  const config = resolveFiles(parsed.data, file)
  // Passwords in these documents become hashes, and the texts are dropped.
  return freeze(config, config.resources.documents)
}
