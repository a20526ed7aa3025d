// SPDX-License-Identifier: MIT
//
// What REST serves besides calls, to anybody: the OpenAPI document, and the schemas of resources for editors.
import { KINDS, kindSchema, schemaOfAll } from '@tandem/resources'
import { openApi } from '../openapi.ts'

const texts = new Map<string, string>()

function build(path: string): object | undefined {
  if (path === '/') return { name: 'Tandem admin API', openapi: '/openapi.json', schemas: '/schemas/resources.json' }
  if (path === '/openapi.json') return openApi()
  if (path === '/schemas/resources.json') return schemaOfAll()
  const kind = KINDS.find((one) => path === `/schemas/${one}.json`)
  return kind === undefined ? undefined : kindSchema(kind)
}

/** JSON text; undefined for a path that is none of these. */
export function pageOf(path: string): string | undefined {
  const known = texts.get(path)
  if (known !== undefined) return known
  const page = build(path)
  if (page === undefined) return undefined
  const text = JSON.stringify(page, null, 2)
  texts.set(path, text)
  return text
}
