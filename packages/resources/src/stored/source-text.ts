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

function jsonValues(text: string): { readonly value: unknown; readonly line: number }[] | undefined {
  const first = text.trimStart()[0]
  if (first !== '{' && first !== '[') return undefined
  const whole = parsedJson(text)
  if (Array.isArray(whole)) return whole.map((value: unknown) => ({ value, line: 0 }))
  if (whole !== undefined) return [{ value: whole, line: 1 }]
  const lines = text
    .split('\n')
    .flatMap((one, n) => (one.trim() === '' ? [] : [{ value: parsedJson(one), line: n + 1 }]))
  return lines.every(({ value }) => value !== undefined) ? lines : undefined
}

/** Its documents in order. @param sources learns of the text, for the places of what is found wrong later */
export function* readSource({ file, text }: SourceText, sources: Map<string, YamlSource>): Sliced<SourceDocument[]> {
  const found: SourceDocument[] = []
  const values = jsonValues(text)
  for (const [n, { value, line }] of (values ?? []).entries()) {
    found.push({ origin: { file, document: n + 1, line }, value, problems: [] })
  }
  if (values !== undefined) return found
  const source = new YamlSource(text, file)
  sources.set(file, source)
  for (const document of source.documents()) {
    found.push(document)
    yield
  }
  return found
}
