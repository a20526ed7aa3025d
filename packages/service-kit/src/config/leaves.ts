// SPDX-License-Identifier: MIT
//
// The schema as a list of settings: path, type, default, description, environment name. Read from the JSON schema that zod
// emits, so that whatever zod accepts is what is documented.
import { z } from 'zod'
import { configSchema } from './schema.ts'

interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
}

/** One setting of the cluster file. */
export interface Leaf {
  readonly path: readonly string[]
  readonly type: string
  readonly env: string
  readonly description: string
  readonly default: unknown
  readonly allowed: readonly unknown[] | undefined
  readonly minimum: number | undefined
  readonly maximum: number | undefined
}

/** JSON Schema (2020-12) of the cluster file as written, for editors and for Helm's values.schema.json. */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema
}

/** `['location', 'grpcPort']` → `TANDEM_LOCATION_GRPC_PORT`. */
export function envName(path: readonly string[]): string {
  const words = path.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase())
  return `TANDEM_${words.join('_')}`
}

function leafOf(path: readonly string[], schema: JsonSchema): Leaf {
  return {
    path,
    type: schema.type ?? 'any',
    env: envName(path),
    description: schema.description ?? '',
    default: schema.default,
    allowed: schema.enum ?? schema.items?.enum,
    minimum: schema.minimum,
    maximum: schema.maximum,
  }
}

function walk(path: readonly string[], schema: JsonSchema): Leaf[] {
  if (!schema.properties) return [leafOf(path, schema)]
  return Object.entries(schema.properties).flatMap(([key, inner]) => walk([...path, key], inner))
}

let cached: readonly Leaf[] | undefined

/** Every setting, in the order of the schema. */
export function leaves(): readonly Leaf[] {
  cached ??= walk([], configJsonSchema())
  return cached
}
