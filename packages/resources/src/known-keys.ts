// SPDX-License-Identifier: MIT
//
// The JSON Schema (2020-12) of each kind as a person writes it, and the keys that may stand at a path: both read from the zod schemas.
import { z } from 'zod'
import { KINDS, type Kind, resourceSchemas } from './resource.ts'

/** What is looked at here of JSON Schema. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: JsonSchema | boolean
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
}

const cached = new Map<Kind, JsonSchema>()

/** Of a document of this kind, before defaults are filled in. */
export function kindSchema(kind: Kind): JsonSchema {
  const known = cached.get(kind)
  if (known !== undefined) return known
  const made = z.toJSONSchema(resourceSchemas[kind], { io: 'input', unrepresentable: 'any', reused: 'inline' })
  cached.set(kind, made as JsonSchema)
  return made as JsonSchema
}

/** Of a document of any kind: which, its `kind` says. One without a kind is let through: settings stand in front of resources in a cluster file. */
export function schemaOfAll(): JsonSchema {
  const $defs = Object.fromEntries(KINDS.map((kind) => [kind, withoutDialect(kindSchema(kind))]))
  const choices = KINDS.map((kind) => ({
    if: { properties: { kind: { const: kind } }, required: ['kind'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { $ref: `#/$defs/${kind}` },
  }))
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Tandem resources',
    type: 'object',
    properties: { kind: { enum: KINDS } } as unknown as Readonly<Record<string, JsonSchema>>,
    allOf: choices as unknown as readonly JsonSchema[],
    $defs,
  }
}

function withoutDialect({ $schema: _, ...schema }: JsonSchema): JsonSchema {
  return schema
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]
  return [schema, ...inner.flatMap(alternatives)]
}

function below(schema: JsonSchema, key: PropertyKey): JsonSchema[] {
  if (typeof key === 'number') return schema.items === undefined ? [] : [schema.items]
  const { properties = {}, additionalProperties } = schema
  const name = String(key)
  const found = Object.hasOwn(properties, name) ? properties[name] : additionalProperties
  return typeof found === 'object' ? [found] : []
}

/** Names of the keys that may stand in the mapping at `path`. */
export function knownKeys(kind: Kind, path: readonly PropertyKey[]): string[] {
  let schemas = alternatives(kindSchema(kind))
  for (const key of path) schemas = schemas.flatMap((schema) => below(schema, key)).flatMap(alternatives)
  return [...new Set(schemas.flatMap(({ properties = {} }) => Object.keys(properties)))]
}
