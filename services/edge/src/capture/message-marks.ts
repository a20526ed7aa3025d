// SPDX-License-Identifier: MIT
//
// What a filter asks of a message, read from its bytes without a scan of the whole: what can't be read has no marks.

/** Header names, with their short forms, in lower case [RFC3261-7.3.3]. */
const CALL_ID = ['call-id', 'i']
const USERS = ['from', 'f', 'to', 't', 'p-asserted-identity']

const CR = 0x0d
const LF = 0x0a

/** The line of the first header with one of these names, or undefined. */
function headerLine(buf: Buffer, start: number, end: number, names: readonly string[]): string | undefined {
  for (let at = nextLine(buf, start, end); at < end; at = nextLine(buf, at, end)) {
    if (buf[at] === CR || buf[at] === LF) return undefined
    for (const name of names) {
      if (!hasName(buf, at, end, name)) continue
      return buf.latin1Slice(at, Math.max(at, nextLine(buf, at, end) - 1))
    }
  }
  return undefined
}

function nextLine(buf: Buffer, start: number, end: number): number {
  const at = buf.indexOf(LF, start)
  return at < 0 || at >= end ? end : at + 1
}

function hasName(buf: Buffer, at: number, end: number, name: string): boolean {
  if (at + name.length >= end) return false
  for (let k = 0; k < name.length; k += 1) {
    if (((buf[at + k] as number) | 0x20) !== (name.charCodeAt(k) | 0x20)) return false
  }
  const after = buf[at + name.length]
  return after === 0x3a || after === 0x20 || after === 0x09
}

function headerText(line: string): string {
  return line.slice(line.indexOf(':') + 1).trim()
}

/** '' where it can't be read. */
export function callIdOf(buf: Buffer, start: number, end: number): string {
  const line = headerLine(buf, start, end, CALL_ID)
  return line === undefined ? '' : headerText(line)
}

/** Whether a message has this Call-ID. Cheap where it has not. */
export function hasCallId(buf: Buffer, start: number, end: number, callId: string): boolean {
  const at = buf.subarray(start, end).indexOf(callId, 0, 'latin1')
  return at >= 0 && callIdOf(buf, start, end) === callId
}

/** Method of a request, or of a response's CSeq; '' where it can't be read. */
export function methodOf(buf: Buffer, start: number, end: number): string {
  const first = buf.latin1Slice(start, Math.min(end, start + 32))
  const method = /^[A-Z]+(?= )/.exec(first)?.[0]
  if (method !== undefined) return method
  return /\b([A-Z]+)\s*$/.exec(headerLine(buf, start, end, ['cseq']) ?? '')?.[1] ?? ''
}

/** Whether From, To or P-Asserted-Identity name this user: a user part, or `user@host`. */
export function namesUser(buf: Buffer, start: number, end: number, user: string): boolean {
  if (buf.subarray(start, end).indexOf(user, 0, 'latin1') < 0) return false
  const wanted = user.includes('@') ? `:${user}` : `:${user}@`
  return USERS.some((name) => {
    const line = headerLine(buf, start, end, [name])
    const at = line?.indexOf(wanted) ?? -1
    return at >= 0 && !/[\w.-]/.test(wanted.endsWith('@') ? '' : (line?.[at + wanted.length] ?? ''))
  })
}
