// SPDX-License-Identifier: MIT
//
// Loads a set of resources from files, folders (every *.yaml and *.yml below, in the order of their names) and inline
// objects; all or nothing: one problem refuses the set, and all problems are listed together.
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ResourceProblem } from './errors.ts'
import { hashPasswords } from './ha1.ts'
import { type KeySetFiles, loadKeySets } from './key-sets.ts'
import { MAX_DOCUMENTS, MAX_FILE_BYTES, MAX_FOLDER_DEPTH, MAX_PROBLEMS } from './limits.ts'
import { loadLists, type NumberTables } from './number-list/load-lists.ts'
import { parseDocument } from './parse-document.ts'
import { type LocatedResource, readDocument } from './parse-yaml.ts'
import { loadRates, type RateDecks } from './rating/load-rates.ts'
import { checkReferences } from './references.ts'
import type { Resource } from './resource.ts'
import { revisionOf } from './revision.ts'
import { realmsOfDomains, resolveSecrets, type SecretTable, withoutPassword } from './secrets.ts'
import { resolveTrunkSecrets, type TrunkSecretTable } from './trunk-secrets.ts'
import { placeProblems, YamlSource } from './yaml-source.ts'

/** A path of a file or folder, relative to `baseDir`, or one document given as an object. */
export type ResourceSource = string | { readonly [key: string]: unknown }

/** A checked set. `secrets` holds hashes of the passwords, by the key of their Subscriber; `revision` names the content. */
export interface ResourceSet {
  readonly resources: readonly Resource[]
  readonly secrets: SecretTable
  /** Passwords of trunks, by name; absent in sets that are made by hand. */
  readonly trunkSecrets?: TrunkSecretTable
  /** Imported rates; absent in sets that are made by hand. */
  readonly decks?: RateDecks
  /** Of NumberLists, with their files; absent in sets that are made by hand. */
  readonly lists?: NumberTables
  /** Public keys of the issuers of tokens, by domain; absent in sets that are made by hand. */
  readonly keySets?: KeySetFiles
  readonly revision: string
}

export type LoadResult =
  | {
      readonly ok: true
      readonly set: ResourceSet
      /** As they were written, in the order of the set's resources; passwords of subscribers are hashes. */
      readonly documents: readonly unknown[]
    }
  | { readonly ok: false; readonly problems: readonly ResourceProblem[] }

export interface LoadOptions {
  /** Folder that relative paths of sources and of secret files start from. */
  readonly baseDir: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** For a process that must not know the secrets: none is read, and none is missed. */
  readonly withoutSecrets?: boolean
}

interface Loading {
  readonly located: LocatedResource[]
  readonly problems: ResourceProblem[]
  /** By file, for the places of what is found wrong later. */
  readonly texts: Map<string, YamlSource>
}

/** Documents are read for this long before others get their turn. */
const SLICE_MS = 10

const fileProblem = (file: string, code: ResourceProblem['code'], expected: string): ResourceProblem => ({
  file,
  document: 1,
  line: 0,
  code,
  path: '',
  expected,
})

async function loadFile(path: string, bytes: number, into: Loading): Promise<void> {
  if (bytes > MAX_FILE_BYTES) {
    into.problems.push(fileProblem(path, 'tooLarge', `expected at most ${MAX_FILE_BYTES} bytes, found ${bytes}`))
    return
  }
  const source = new YamlSource(await readFile(path, 'utf8'), path)
  into.texts.set(path, source)
  let began = performance.now()
  for (const document of source.documents()) {
    readDocument(document, into)
    if (performance.now() - began < SLICE_MS) continue
    await nextTurn()
    began = performance.now()
  }
}

async function loadFolder(path: string, depth: number, into: Loading): Promise<void> {
  if (depth > MAX_FOLDER_DEPTH) {
    into.problems.push(fileProblem(path, 'tooLarge', `expected at most ${MAX_FOLDER_DEPTH} folders in one another`))
    return
  }
  const entries = await readdir(path, { withFileTypes: true })
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    // Kubernetes mounts a ConfigMap as links into `..data`; names with a leading dot are its and editors' own.
    if (entry.name.startsWith('.')) continue
    if (entry.isDirectory() || /\.ya?ml$/.test(entry.name)) await loadPath(join(path, entry.name), depth + 1, into)
  }
}

async function loadPath(path: string, depth: number, into: Loading): Promise<void> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) await loadFolder(path, depth, into)
    else await loadFile(path, found.size, into)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    into.problems.push(fileProblem(path, 'unreadable', `expected a readable file or folder (${code})`))
  }
}

function loadInline(value: object, document: number, into: Loading): void {
  const origin = { file: 'resources', document, line: 0 }
  const parsed = parseDocument(value, origin)
  if ('resource' in parsed) into.located.push({ resource: parsed.resource, origin, document: value })
  else into.problems.push(...parsed.problems)
}

/** What resources name and do not say themselves: secrets, and what stands in files. */
export type NamedContent = Omit<ResourceSet, 'resources' | 'revision'>

/** Reads it, of these resources; the secrets of subscribers need the Domains among them. Never throws. */
export async function readNamed(
  located: readonly LocatedResource[],
  options: LoadOptions,
): Promise<NamedContent & { hashes: readonly string[]; problems: readonly ResourceProblem[] }> {
  const trusted = options.withoutSecrets === true ? [] : located
  const { secrets, problems } = await resolveSecrets(trusted, options)
  const trunks = await resolveTrunkSecrets(trusted, options)
  const rates = await loadRates(located, options.baseDir)
  const lists = await loadLists(located, options.baseDir)
  const keys = await loadKeySets(trusted, options.baseDir)
  return {
    secrets,
    trunkSecrets: trunks.trunkSecrets,
    decks: rates.decks,
    lists: lists.tables,
    keySets: keys.keySets,
    hashes: [...rates.hashes, ...lists.hashes],
    problems: [...problems, ...trunks.problems, ...rates.problems, ...lists.problems, ...keys.problems],
  }
}

/**
 * Loads and checks everything; never throws for what the sources contain. Of a set that is taken no password remains: inline
 * documents among the sources are changed, their passwords become hashes.
 */
export async function loadResources(sources: readonly ResourceSource[], options: LoadOptions): Promise<LoadResult> {
  const into: Loading = { located: [], problems: [], texts: new Map() }
  for (const [index, source] of sources.entries()) {
    if (typeof source === 'string') await loadPath(resolve(options.baseDir, source), 0, into)
    else loadInline(source, index + 1, into)
  }
  if (into.located.length > MAX_DOCUMENTS) {
    into.problems.push(fileProblem('resources', 'tooLarge', `expected at most ${MAX_DOCUMENTS} documents`))
  }
  // References of a set that is only half there would report what is merely unread.
  if (into.problems.length === 0) into.problems.push(...checkReferences(into.located))
  const { problems, hashes, ...named } = await readNamed(into.located, options)
  into.problems.push(...problems)
  if (into.problems.length > 0) {
    return { ok: false, problems: placeProblems(into.problems.slice(0, MAX_PROBLEMS), into.texts) }
  }
  const realms = realmsOfDomains(into.located)
  const documents = into.located.map(({ document }) => document)
  hashPasswords(documents, realms)
  const resources = into.located.map(({ resource }) => {
    return resource.kind === 'Subscriber' ? withoutPassword(resource, realms) : resource
  })
  return { ok: true, set: { resources, ...named, revision: revisionOf(resources, hashes) }, documents }
}
