// SPDX-License-Identifier: MIT
//
// What `-f` names: a file, a folder (all YAML and JSON in it, in the order of names) or `-` for standard input. Folders that Kubernetes has
// mounted are folders of links; names that begin with a dot (`..data` among them) are its own. A ConfigMap, a Secret or a List of them as a
// document counts for the documents in its data.
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { YamlSource } from '@tandem/resources'
import { CommandFailed } from '../command-failed.ts'

export interface SourceText {
  readonly file: string
  readonly text: string
}

const MAX_DEPTH = 8
/** As the API takes at most (`console.maxApplyBytes`). */
const MAX_BYTES = 67_108_864

const TEXTS = /\.(ya?ml|json|ndjson)$/

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

function readOne(path: string): SourceText {
  try {
    if (statSync(path).size > MAX_BYTES) throw new CommandFailed(`${path} is larger than ${MAX_BYTES} bytes.`)
    return { file: path, text: readFileSync(path, 'utf8') }
  } catch (error) {
    if (error instanceof CommandFailed) throw error
    throw new CommandFailed(`${path} can not be read (${reasonOf(error)}).`)
  }
}

const isFolder = (path: string, entry: Dirent): boolean =>
  entry.isDirectory() || (entry.isSymbolicLink() && (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false))

function readFolder(folder: string, depth: number): SourceText[] {
  if (depth > MAX_DEPTH) throw new CommandFailed(`${folder} has more than ${MAX_DEPTH} folders in one another.`)
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap((entry) => {
    if (entry.name.startsWith('.')) return []
    const path = join(folder, entry.name)
    if (isFolder(path, entry)) return readFolder(path, depth + 1)
    return TEXTS.test(entry.name) ? [readOne(path)] : []
  })
}

function readPath(path: string, stdin: () => string): SourceText[] {
  if (path === '-') return [{ file: 'stdin', text: stdin() }]
  if (!(statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false)) return [readOne(path)]
  const found = readFolder(path, 0)
  if (found.length === 0) throw new CommandFailed(`${path} has no file that ends in .yaml, .yml, .json or .ndjson.`)
  return found
}

interface KubernetesObject {
  readonly kind?: string
  readonly metadata?: { readonly name?: string }
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
  readonly items?: readonly KubernetesObject[]
}

/** Texts in the data of these objects, named `file#object/key`. */
function textsIn(object: KubernetesObject, file: string): SourceText[] {
  if (object.kind === 'List') return (object.items ?? []).flatMap((item) => textsIn(item, file))
  const decode = (text: string): string =>
    object.kind === 'Secret' ? Buffer.from(text, 'base64').toString('utf8') : text
  const data = Object.entries(object.data ?? {}).map(([key, text]) => [key, decode(text)] as const)
  return [...data, ...Object.entries(object.stringData ?? {})]
    .filter(([key]) => TEXTS.test(key))
    .map(([key, text]) => ({ file: `${file}#${object.metadata?.name ?? object.kind}/${key}`, text }))
}

const MAYBE_KUBERNETES = /^\s*"?kind"?:\s*"?(ConfigMap|Secret|List)\b/m

/** A file of Kubernetes objects is what their data holds; any other file is itself. */
function unfold(source: SourceText): SourceText[] {
  if (!MAYBE_KUBERNETES.test(source.text)) return [source]
  const objects = [...new YamlSource(source.text, source.file).documents()].map(
    ({ value }) => value as KubernetesObject & { apiVersion?: string },
  )
  if (objects.length === 0 || !objects.every((object) => object?.apiVersion === 'v1')) return [source]
  return objects.flatMap((object) => textsIn(object, source.file))
}

/** Texts of all that was named. Throws `CommandFailed`. */
export function readSources(
  paths: readonly string[],
  stdin: () => string = () => readFileSync(0, 'utf8'),
): SourceText[] {
  return paths.flatMap((path) => readPath(path, stdin)).flatMap(unfold)
}

/** Characters of a part, so that no message of the way is large. */
const PART_CHARS = 262_144

/** One line of NDJSON for each part. */
export function* ndjsonOf(sources: readonly SourceText[]): Generator<string> {
  for (const { file, text } of sources) {
    for (let at = 0; at === 0 || at < text.length; ) {
      const end = partEnd(text, at)
      yield `${JSON.stringify({ file, text: text.slice(at, end) })}\n`
      at = Math.max(end, 1)
    }
  }
}

/** Not between the halves of a pair of surrogates. */
function partEnd(text: string, from: number): number {
  const end = Math.min(text.length, from + PART_CHARS)
  const last = text.charCodeAt(end - 1)
  return end < text.length && last >= 0xd800 && last <= 0xdbff ? end - 1 : end
}
