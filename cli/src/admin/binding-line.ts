// SPDX-License-Identifier: MIT
//
// A line of `tandem bindings export`: the message AorBindings as JSON, by its field names in this project. What is optional in the
// message may be missing; everything that is there must have its type.
import { location } from '@tandem/rpc'

export type AorBindings = location.AorBindings

type Json = Readonly<Record<string, unknown>>
type Check = (value: unknown) => boolean

const text: Check = (value) => typeof value === 'string'
const uint: Check = (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffffffff
const texts: Check = (value) => Array.isArray(value) && value.every(text)

const FLOW = { transport: text, address: text, port: uint, edgeId: text, flowId: uint, natEdge: text }
const BINDING = {
  uri: text,
  expiresS: uint,
  qMilli: uint,
  callId: text,
  cseq: uint,
  instanceId: text,
  regId: uint,
  path: texts,
  params: text,
  userAgent: text,
  registrationHash: uint,
  flow: (value: unknown) => isObject(value) && wrongOf(value, FLOW) === undefined,
}
const NEEDED = ['uri', 'expiresS', 'callId', 'cseq'] as const

/** The line, or what was expected instead. */
export function parseLine(line: string): AorBindings | string {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return 'expected a JSON object'
  }
  const { aor, bindings } = isObject(json) ? json : {}
  if (!text(aor) || aor === '') return 'expected a JSON object with "aor"'
  if (!Array.isArray(bindings) || bindings.length === 0) return 'expected "bindings", a list of one at least'
  for (const [at, binding] of bindings.entries()) {
    const wrong = isObject(binding) ? (missingOf(binding) ?? wrongOf(binding, BINDING)) : 'an object'
    if (wrong !== undefined) return `bindings[${at}]: expected ${wrong}`
  }
  return location.AorBindings.fromPartial({ aor: aor as string, bindings })
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function missingOf(binding: Json): string | undefined {
  const missing = NEEDED.find((name) => binding[name] === undefined)
  return missing && `"${missing}"`
}

/** The first field that is not what it should be. */
function wrongOf(value: Json, checks: Readonly<Record<string, Check>>): string | undefined {
  for (const [name, check] of Object.entries(checks))
    if (value[name] !== undefined && !check(value[name])) return `"${name}" as it is exported`
  return undefined
}
