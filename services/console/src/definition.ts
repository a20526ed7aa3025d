// SPDX-License-Identifier: MIT
//
// The admin API as data: what gen/definition.ts holds, read from proto/tandem/admin. Routes, JSON, OpenAPI and roles all come from here.
import { MESSAGES, METHODS } from './gen/definition.ts'

/** Each may do what the one before it may. */
export const ROLES = ['read', 'operate', 'admin'] as const
export type Role = (typeof ROLES)[number]

export interface Field {
  /** In JSON and in generated code. */
  readonly name: string
  /** In the proto. */
  readonly proto: string
  /** string, bool, number, bigint, map (of strings), document (JSON text, in REST the object itself), or the name of a message. */
  readonly type: string
  readonly isRepeated?: boolean
  readonly isOptional?: boolean
  readonly doc: string
}

export interface Message {
  readonly doc: string
  readonly fields: readonly Field[]
}

export interface Method {
  /** As in generated code. */
  readonly name: string
  /** '' for what only gRPC has. */
  readonly verb: '' | 'GET' | 'POST' | 'DELETE' | (string & {})
  /** `/v1/calls/{callRef}/hangup` */
  readonly path: string
  readonly role: string
  readonly isAudited: boolean
  readonly isStream: boolean
  readonly request: string
  readonly response: string
  readonly doc: string
}

export const methods: readonly Method[] = METHODS

export function messageOf(name: string): Message {
  const message = MESSAGES[name]
  if (message === undefined) throw new Error(`the definition has no message ${name}`)
  return message
}

export const mayCall = (role: Role, method: Method): boolean =>
  ROLES.indexOf(role) >= ROLES.indexOf(method.role as Role)

/** Names in braces. */
export const paramsOf = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string)
