// SPDX-License-Identifier: MIT
//
// `tandem logs`: picks lines out of the logs of all processes, as files or standard input bring them, and prints them for people. What stands before the JSON
// of a line (compose, kubectl --prefix) is passed over; a line that is no JSON is printed only where nothing is picked.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { UserNames } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import { printable } from '../output.ts'
import { LOG_LEVELS, type LogFlags } from './flags.ts'

type Line = Readonly<Record<string, unknown>>
type Pick = (line: Line, text: string) => boolean

/** What names a call, as lines old and new call it. */
const CALL_FIELDS = ['call_id', 'call_ref', 'callId', 'callRef', 'trace_id']
/** What text shows in a place of its own. */
const SHOWN = new Set(['time', 'level', 'service', 'edge', 'msg', 'event', 'message', 'err'])

/** @param files none: standard input @param keyRing with which users are named in lines, where it is known */
export async function* logs(
  files: readonly string[],
  flags: LogFlags,
  keyRing: ConstructorParameters<typeof UserNames>[1],
  input: Readable = process.stdin,
): AsyncGenerator<string> {
  const pick = pickerOf(flags, keyRing)
  for (const file of files.length === 0 ? ['-'] : files) {
    for await (const text of linesOf(file, input)) {
      const shown = show(text, flags, pick)
      if (shown !== undefined) yield shown
    }
  }
}

async function* linesOf(file: string, input: Readable): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: file === '-' ? input : createReadStream(file) })
  } catch (error) {
    throw new CommandFailed(`${file} can not be read: ${(error as Error).message}`)
  }
}

function show(text: string, flags: LogFlags, pick: Pick): string | undefined {
  const at = text.indexOf('{')
  const line = at < 0 ? undefined : parse(text.slice(at))
  if (line === undefined) return isPicking(flags) || flags.output === 'json' ? undefined : printable(text)
  if (!pick(line, text)) return undefined
  return flags.output === 'json' ? text.slice(at) : describe(line)
}

const isPicking = ({ call, user, event, level }: LogFlags): boolean =>
  call !== '' || user !== '' || event !== '' || level !== 'trace'

function parse(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Line) : undefined
  } catch {
    return undefined
  }
}

function pickerOf({ call, user, event, level }: LogFlags, keyRing: Parameters<typeof logs>[2]): Pick {
  const least = LOG_LEVELS.indexOf(level)
  const names = user === '' ? [] : namesOf(user, keyRing)
  return (line, text) => {
    if (LOG_LEVELS.indexOf(String(line.level) as LogFlags['level']) < least) return false
    if (event !== '' && line.event !== event) return false
    if (call !== '' && !CALL_FIELDS.some((name) => line[name] === call)) return false
    return names.length === 0 || names.some((name) => text.includes(name))
  }
}

/** A user as URIs have him, by his name and by the one that lines give him. */
function namesOf(user: string, keyRing: Parameters<typeof logs>[2]): string[] {
  const [name = '', ...host] = user.replace(/^sips?:/, '').split('@')
  const rest = host.length === 0 ? '' : host.join('@')
  // Lines of before another key came first have the name that the key of then gave.
  const hashed = keyRing.map((key) => new UserNames('hashed', [key]).user(name))
  const inLines = hashed.flatMap((one) => [`${one}@${rest}`, `:${one}`])
  return [`:${name}@${rest}`, `"${name}@${rest}`, ...inLines]
}

/** `10:36:26.123 info  edge-0  call ended  call_id=… from_uri=…`, then what has several lines. */
function describe(line: Line): string {
  const time = /T([\d:.]+)/.exec(String(line.time))?.[1] ?? String(line.time ?? '')
  const head = [
    time,
    String(line.level ?? '').padEnd(5),
    String(line.edge ?? line.service ?? ''),
    String(line.msg ?? ''),
  ]
  const fields = Object.entries(line).filter(([name]) => !SHOWN.has(name))
  const rest = fields.map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`)
  const below = [errorOf(line.err), messageOf(line.message)].filter((text) => text !== '')
  return [printable([...head, ...rest].join('  ')), ...below].join('\n')
}

function errorOf(err: unknown): string {
  if (typeof err !== 'object' || err === null) return ''
  const { stack, message } = err as { stack?: unknown; message?: unknown }
  return indented(String(stack ?? message ?? ''))
}

const messageOf = (message: unknown): string => (typeof message === 'string' ? indented(message.trimEnd()) : '')

const indented = (text: string): string =>
  text
    .split(/\r?\n/)
    .map((line) => `    ${printable(line)}`)
    .join('\n')
