// SPDX-License-Identifier: MIT
// Parameters as values: for the headers that are decoded whole (Contact, Refer-To, Path, …). Names are lower-cased, quoted values
// undone; a parameter without '=' has the empty string and `flag` set. The walk itself is ParamCursor's.
import type { Buffer } from 'node:buffer'
import { LIMITS } from '../limits.ts'
import { DQUOTE } from '../message/chars.ts'
import { unfold } from '../message/message.ts'
import { ParamCursor } from './param-cursor.ts'

export interface Param {
  readonly name: string
  readonly value: string
  /** No '=' was there. */
  readonly flag: boolean
}

/** Parses `;a=b;c="d"` that is all of [start, end). Undefined: bad syntax, or more than LIMITS.paramCount. */
export function parseParams(buf: Buffer, start: number, end: number): Param[] | undefined {
  const cursor = new ParamCursor()
  const params: Param[] = []
  cursor.reset(buf, start, end)
  while (cursor.next()) {
    if (params.length === LIMITS.paramCount) return undefined
    const name = buf.latin1Slice(cursor.nameStart, cursor.nameEnd).toLowerCase()
    params.push({ name, value: paramValue(buf, cursor.valueStart, cursor.valueEnd), flag: cursor.valueStart < 0 })
  }
  return cursor.failed || cursor.offset < end ? undefined : params
}

function paramValue(buf: Buffer, start: number, end: number): string {
  if (start < 0) return ''
  return buf[start] === DQUOTE ? unquote(buf.latin1Slice(start, end)) : buf.latin1Slice(start, end)
}

/** Value of the first parameter with this lower-case name; undefined when it is absent. */
export function paramOf(params: readonly Param[], name: string): string | undefined {
  for (const param of params) if (param.name === name) return param.value
  return undefined
}

/** A quoted string without its quotes, quoted pairs and folds undone; other text as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text
  return unfold(text.slice(1, -1)).replace(/\\(.)/gs, '$1')
}

/** Text as a quoted string [RFC3261-25.1]. */
export function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
