// SPDX-License-Identifier: MIT
//
// YAML text of many documents → resources with their origin. Empty documents are skipped. Lines and columns come from the source.
import type { Origin, ResourceProblem } from './errors.ts'
import { parseDocument } from './parse-document.ts'
import type { Resource } from './resource.ts'
import { placeProblems, type SourceDocument, YamlSource } from './yaml-source.ts'

export interface LocatedResource {
  readonly resource: Resource
  readonly origin: Origin
  /** As it was written, where somebody wants to know. */
  readonly document?: unknown
}

export interface ParsedResources {
  readonly located: readonly LocatedResource[]
  readonly problems: readonly ResourceProblem[]
}

/** Adds what the document is to what is there already. */
export function readDocument(
  { value, origin, problems }: SourceDocument,
  into: { readonly located: LocatedResource[]; readonly problems: ResourceProblem[] },
): void {
  into.problems.push(...problems)
  if (problems.length > 0) return
  const parsed = parseDocument(value, origin)
  if ('resource' in parsed) into.located.push({ resource: parsed.resource, origin, document: value })
  else into.problems.push(...parsed.problems)
}

export function parseYaml(text: string, file: string): ParsedResources {
  const source = new YamlSource(text, file)
  const into = { located: [] as LocatedResource[], problems: [] as ResourceProblem[] }
  for (const document of source.documents()) readDocument(document, into)
  return { located: into.located, problems: placeProblems(into.problems, new Map([[file, source]])) }
}
