// SPDX-License-Identifier: MIT
//
// Messages as JSON and back, by the definition. What comes in is looked at strictly: an unknown field is refused with the nearest name,
// nothing is coerced but numbers in texts (as 64-bit numbers are in other JSON forms of protobuf, and all are in a query).
import { nearestOf } from '@tandem/resources'
import { type Field, messageOf } from './definition.ts'
import { ApiError } from './errors.ts'

type Json = unknown
export type Values = Record<string, unknown>

const isObject = (value: Json): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const bad = (path: string, expected: string): never => {
  throw new ApiError('bad_request', path === '' ? expected : `${path}: ${expected}`, { where: { path } })
}

function emptyOf({ type, isRepeated, isOptional }: Field): unknown {
  if (isRepeated) return []
  if (isOptional) return undefined
  const empty: Record<string, unknown> = { string: '', bool: false, number: 0, double: 0, bigint: 0n, document: '' }
  if (type === 'bytes') return new Uint8Array()
  return type === 'map' ? {} : empty[type]
}

/** JSON → the message as generated code has it, with every field. Throws `ApiError`. */
export function fromJson(name: string, value: Json, path = ''): Values {
  if (!isObject(value)) return bad(path, 'expected a JSON object')
  const { fields } = messageOf(name)
  const byName = new Map(fields.flatMap((field) => [[field.name, field] as const, [field.proto, field] as const]))
  const message: Values = Object.fromEntries(fields.map((field) => [field.name, emptyOf(field)]))
  for (const [key, inner] of Object.entries(value)) {
    const field = byName.get(key) ?? unknownField(key, fields, path)
    if (inner !== null) message[field.name] = fieldFromJson(field, inner, path === '' ? key : `${path}.${key}`)
  }
  return message
}

function unknownField(key: string, fields: readonly Field[], path: string): never {
  const meant = nearestOf(
    key,
    fields.map(({ name }) => name),
  )
  const names =
    meant === undefined
      ? `there are ${fields.map((field) => field.name).join(', ') || 'none'}`
      : `did you mean "${meant}"?`
  return bad(path === '' ? key : `${path}.${key}`, `unknown field; ${names}`)
}

function fieldFromJson(field: Field, value: Json, path: string): unknown {
  if (!field.isRepeated) return oneFromJson(field, value, path)
  if (!Array.isArray(value)) return bad(path, 'expected a list')
  return value.map((one: Json, at) => oneFromJson(field, one, `${path}[${at}]`))
}

function oneFromJson({ type }: Field, value: Json, path: string): unknown {
  if (type === 'string') return typeof value === 'string' ? value : bad(path, 'expected a text')
  if (type === 'bool') return typeof value === 'boolean' ? value : bad(path, 'expected true or false')
  if (type === 'number') return wholeNumber(value, path, 4_294_967_295)
  if (type === 'double') return typeof value === 'number' ? value : bad(path, 'expected a number')
  if (type === 'bytes') return typeof value === 'string' ? Buffer.from(value, 'base64') : bad(path, 'expected base64')
  if (type === 'bigint') return BigInt(wholeNumber(value, path, Number.MAX_SAFE_INTEGER))
  if (type === 'map') return textMap(value, path)
  if (type === 'document') return isObject(value) ? JSON.stringify(value) : bad(path, 'expected an object')
  return fromJson(type, value, path)
}

function wholeNumber(value: Json, path: string, most: number): number {
  const number = typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || Math.abs(number) > most)
    return bad(path, `expected a whole number up to ${most}`)
  return number
}

function textMap(value: Json, path: string): Record<string, string> {
  if (!isObject(value)) return bad(path, 'expected an object of texts')
  for (const [key, text] of Object.entries(value))
    if (typeof text !== 'string') bad(`${path}.${key}`, 'expected a text')
  return value as Record<string, string>
}

/** Texts of a path or a query → JSON that `fromJson` takes. */
export function fromTexts(name: string, texts: ReadonlyMap<string, readonly string[]>): Record<string, Json> {
  const { fields } = messageOf(name)
  const found: Record<string, Json> = {}
  for (const [key, values] of texts) {
    const field = fields.find((one) => one.name === key || one.proto === key)
    if (field === undefined) unknownField(key, fields, '')
    else if (field.isRepeated) found[key] = values
    else if (values.length > 1) bad(key, 'expected it once')
    else found[key] = field.type === 'bool' ? flagOf(values[0] as string, key) : values[0]
  }
  return found
}

function flagOf(text: string, path: string): boolean {
  if (text === '' || text === 'true' || text === '1') return true
  return text === 'false' || text === '0' ? false : bad(path, 'expected true or false')
}

/** A message as JSON. Every field is there, but optional ones that are not set. */
export function toJson(name: string, message: object): Record<string, Json> {
  const values = message as Values
  const shown: Record<string, Json> = {}
  for (const field of messageOf(name).fields) {
    const value = values[field.name]
    if (value === undefined) continue
    const show = (one: unknown): Json => oneToJson(field, one)
    shown[field.type === 'document' ? 'document' : field.name] = field.isRepeated
      ? (value as unknown[]).map(show)
      : show(value)
  }
  return shown
}

function oneToJson({ type }: Field, value: unknown): Json {
  if (type === 'bigint') return Number(value)
  if (type === 'document') return documentOf(value as string)
  if (type === 'bytes') return Buffer.from(value as Uint8Array).toString('base64')
  return typeof value === 'object' && value !== null && type !== 'map' ? toJson(type, value) : value
}

function documentOf(text: string): Json {
  return text === '' ? null : (JSON.parse(text) as Json)
}

/** How deep brackets stand in one another, without looking at anything else: before a parser does. */
export function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === 0x22) at = endOfText(text, at)
    else if (char === 0x7b || char === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (char === 0x7d || char === 0x5d) depth--
  }
  return deepest
}

function endOfText(text: string, from: number): number {
  let at = from + 1
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1
  return at
}
