// SPDX-License-Identifier: MIT
//
// YAML text of many documents → resources with their origin. Empty documents are skipped. Lines come from the source.
import { type Document, isNode, isScalar, LineCounter, parseAllDocuments, type YAMLError } from 'yaml'
import type { Origin, ResourceProblem } from './errors.ts'
import { MAX_YAML_ALIASES } from './limits.ts'
import { type LineOf, parseDocument } from './parse-document.ts'
import type { Resource } from './resource.ts'

export interface LocatedResource {
  readonly resource: Resource
  readonly origin: Origin
}

export interface ParsedResources {
  readonly located: readonly LocatedResource[]
  readonly problems: readonly ResourceProblem[]
}

/** The line of the deepest node on the path that exists, so that a missing key points at its parent. */
function lineFinder(document: Document.Parsed, lines: LineCounter): LineOf {
  return (path) => {
    for (let length = path.length; length >= 0; length--) {
      const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
    }
    return 0
  }
}

function syntaxProblem(error: YAMLError, origin: Origin): ResourceProblem {
  const line = error.linePos?.[0].line ?? origin.line
  const expected = `expected valid YAML (${error.code.toLowerCase().replaceAll('_', ' ')})`
  return { ...origin, line, code: 'syntax', path: '', expected }
}

function parseOne(document: Document.Parsed, origin: Origin, lines: LineCounter) {
  if (document.errors.length > 0) return { problems: document.errors.map((error) => syntaxProblem(error, origin)) }
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_YAML_ALIASES })
    return parseDocument(value, origin, lineFinder(document, lines))
  } catch {
    const expected = `expected at most ${MAX_YAML_ALIASES} uses of anchors`
    return { problems: [{ ...origin, code: 'syntax', path: '', expected } as const] }
  }
}

/** Nothing between two separators, or a last one. */
function isEmpty({ contents, errors }: Document.Parsed): boolean {
  return errors.length === 0 && (contents === null || (isScalar(contents) && contents.value === null))
}

export function parseYaml(text: string, file: string): ParsedResources {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: true })
  const located: LocatedResource[] = []
  const problems: ResourceProblem[] = []
  for (const [index, document] of Array.isArray(documents) ? documents.entries() : []) {
    if (isEmpty(document)) continue
    const start = document.contents?.range?.[0] ?? document.range[0]
    const origin: Origin = { file, document: index + 1, line: lines.linePos(start).line }
    const parsed = parseOne(document, origin, lines)
    if ('resource' in parsed) located.push({ resource: parsed.resource, origin })
    else problems.push(...parsed.problems)
  }
  return { located, problems }
}
