// SPDX-License-Identifier: MIT
//
// YAML text of many documents, parsed one document at a time, so that a large file can be read in slices; and where in the text a key
// stands, found again by its path when there is something to say about it: no syntax tree outlives its document.
// `---` at the beginning of a line always separates documents, wherever it stands (YAML 1.2, 9.1.2).
import { type Document, isMap, isNode, isScalar, LineCounter, parseAllDocuments, type YAMLError } from 'yaml'
import type { Origin, ResourceProblem } from './errors.ts'
import { MAX_YAML_ALIASES } from './limits.ts'

/** From 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** One document: its value, or what is wrong with its text. */
export interface SourceDocument {
  readonly origin: Origin
  readonly value: unknown
  readonly problems: readonly ResourceProblem[]
}

interface Chunk {
  readonly text: string
  /** Lines of the file before it. */
  readonly linesBefore: number
}

/** Directives, comments and nothing else belong to the document that follows. */
const isPreamble = (text: string): boolean => !/^(?![ \t]*#|%)[ \t]*\S/m.test(text)

function chunksOf(text: string): Chunk[] {
  const chunks: Chunk[] = []
  let from = 0
  let linesBefore = 0
  const take = (to: number): void => {
    const piece = text.slice(from, to)
    chunks.push({ text: piece, linesBefore })
    linesBefore += countLines(piece)
    from = to
  }
  for (const { index } of text.matchAll(/^---(?=\s|$)/gm)) {
    if (index > from && !(from === 0 && isPreamble(text.slice(0, index)))) take(index)
  }
  take(text.length)
  return chunks
}

function countLines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  return count
}

function isEmpty({ contents, errors }: Document.Parsed): boolean {
  return errors.length === 0 && (contents === null || (isScalar(contents) && contents.value === null))
}

/** `spec.hosts[0].port` → its keys. */
export function keysOfPath(path: string): (string | number)[] {
  return [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) =>
    index === undefined ? (key as string) : Number(index),
  )
}

export class YamlSource {
  readonly file: string
  readonly #chunks: readonly Chunk[]
  /** Place in `#chunks` of each document, from 1. */
  readonly #homes: (Chunk & { readonly nth: number })[] = []

  constructor(text: string, file: string) {
    this.file = file
    this.#chunks = chunksOf(text.replace(/^\uFEFF/, ''))
  }

  /** In order; empty ones are left out, and counted. */
  *documents(): Generator<SourceDocument> {
    for (const chunk of this.#chunks) {
      const lines = new LineCounter()
      for (const [nth, document] of parseChunk(chunk, lines).entries()) {
        this.#homes.push({ ...chunk, nth })
        if (!isEmpty(document)) yield this.#read(document, chunk, lines)
      }
    }
  }

  /** Where the key at `path` of that document stands; of a missing one its parent. */
  place(document: number, path: string): Place | undefined {
    const home = this.#homes[document - 1]
    if (home === undefined) return undefined
    const lines = new LineCounter()
    const parsed = parseChunk(home, lines)[home.nth]
    const offset = parsed && offsetOf(parsed, keysOfPath(path))
    if (offset === undefined) return undefined
    const { line, col } = lines.linePos(offset)
    return { line: line + home.linesBefore, column: col }
  }

  #read(document: Document.Parsed, chunk: Chunk, lines: LineCounter): SourceDocument {
    const start = document.contents?.range?.[0] ?? document.range[0]
    const line = lines.linePos(start).line + chunk.linesBefore
    const origin: Origin = { file: this.file, document: this.#homes.length, line }
    if (document.errors.length > 0) {
      const problems = document.errors.map((error) => syntaxProblem(error, origin, chunk.linesBefore))
      return { origin, value: undefined, problems }
    }
    try {
      return { origin, value: document.toJS({ maxAliasCount: MAX_YAML_ALIASES }) as unknown, problems: [] }
    } catch {
      const expected = `expected at most ${MAX_YAML_ALIASES} uses of anchors`
      return { origin, value: undefined, problems: [{ ...origin, code: 'syntax', path: '', expected }] }
    }
  }
}

function parseChunk({ text }: Chunk, lineCounter: LineCounter): readonly Document.Parsed[] {
  const documents = parseAllDocuments(text, { lineCounter, prettyErrors: true })
  return Array.isArray(documents) ? documents : []
}

function syntaxProblem(error: YAMLError, origin: Origin, linesBefore: number): ResourceProblem {
  const [at] = error.linePos ?? []
  const place = at === undefined ? {} : { line: at.line + linesBefore, column: at.col }
  const expected = `expected valid YAML (${error.code.toLowerCase().replaceAll('_', ' ')})`
  return { ...origin, ...place, code: 'syntax', path: '', expected }
}

/** Of the key where it stands in a mapping, else of the deepest node on the way that is there. */
function offsetOf(document: Document.Parsed, path: readonly (string | number)[]): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const parent = length === 0 ? undefined : nodeAt(document, path.slice(0, length - 1))
    const key = path[length - 1]
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key))
      if (pair !== undefined && isNode(pair.key) && pair.key.range) return pair.key.range[0]
      continue
    }
    const node = nodeAt(document, path.slice(0, length))
    if (isNode(node) && node.range) return node.range[0]
  }
  return undefined
}

function nodeAt(document: Document.Parsed, path: readonly (string | number)[]): unknown {
  return path.length === 0 ? document.contents : document.getIn(path, true)
}

/** The same problems with the lines and columns of their keys, where these are found. */
export function placeProblems(
  problems: readonly ResourceProblem[],
  sources: ReadonlyMap<string, YamlSource>,
): ResourceProblem[] {
  return problems.map((problem) => {
    if (problem.column !== undefined) return problem
    const place = sources.get(problem.file)?.place(problem.document, problem.path)
    return place === undefined ? problem : { ...problem, ...place }
  })
}
