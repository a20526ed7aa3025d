// SPDX-License-Identifier: MIT
//
// Text of documents as people and programs send it: YAML of one or more documents, JSON (one document or an array), or JSON lines.
import type { Sliced } from '../lay-out/slices.ts'
import { type SourceDocument, YamlSource } from '../yaml-source.ts'

export interface SourceText {
  /** For problems. */
  readonly file: string
  readonly text: string
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

const seemsJson = (text: string): boolean => /^\s*[[{]/.test(text.slice(0, 1_000))

/** One document or array a line; undefined: it is not that. */
function* jsonLines(text: string): Sliced<{ readonly value: unknown; readonly line: number }[] | undefined> {
  const found: { value: unknown; line: number }[] = []
  for (const [n, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const value = parsedJson(line)
    if (value === undefined) return undefined
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) found.push({ value: one, line: n + 1 })
    if (n % 64 === 0) yield
  }
  return found
}

/** undefined: it is no JSON. */
function* jsonDocuments({ file, text }: SourceText): Sliced<SourceDocument[] | undefined> {
  let values = yield* jsonLines(text)
  if (values === undefined) {
    const whole = parsedJson(text)
    if (whole === undefined) return undefined
    const list = Array.isArray(whole) ? (whole as unknown[]) : [whole]
    values = list.map((value) => ({ value, line: list === whole ? 0 : 1 }))
  }
  return values.map(({ value, line }, n) => ({ origin: { file, document: n + 1, line }, value, problems: [] }))
}

/** Its documents in order. @param sources learns of the text, for the places of what is found wrong later */
export function* readSource(text: SourceText, sources: Map<string, YamlSource>): Sliced<SourceDocument[]> {
  const known = seemsJson(text.text) ? yield* jsonDocuments(text) : undefined
  if (known !== undefined) return known
  const found: SourceDocument[] = []
  const source = new YamlSource(text.text, text.file)
  sources.set(text.file, source)
  for (const document of source.documents()) {
    found.push(document)
    yield
  }
  return found
}
