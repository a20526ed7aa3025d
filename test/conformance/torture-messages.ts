// SPDX-License-Identifier: MIT
//
// Reads the project's own torture messages, torture/*.sip. They are text, so that a diff shows them; the bytes come out of these rules:
// leading lines that begin with # are remarks; a line's end is CRLF; \xHH is one octet, \\ a backslash, \{length} the length of the body,
// \{N*text} text N times. Any other use of a backslash is an error. What is above 7F stands as UTF-8.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface TortureMessage {
  readonly name: string
  readonly remark: string
  readonly bytes: Buffer
}

const FOLDER = join(import.meta.dirname, 'torture')
const SUFFIX = '.sip'

export function readTortureMessages(): TortureMessage[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(SUFFIX))
  return files.sort().map((file) => readMessage(file.slice(0, -SUFFIX.length)))
}

function readMessage(name: string): TortureMessage {
  const lines = readFileSync(join(FOLDER, name + SUFFIX), 'latin1').split('\n')
  const first = lines.findIndex((line) => !line.startsWith('#'))
  const remark = lines.slice(0, first).map((line) => line.slice(2))
  return { name, remark: remark.join(' '), bytes: encode(name, lines.slice(first).join('\r\n')) }
}

/** One character is one octet. */
function encode(name: string, text: string): Buffer {
  const plain = text.replace(
    /\\(?:x([0-9A-F]{2})|(\\)|\{(\d+)\*([^}]*)\}|(\{length\})|)/g,
    (match, hex, slash, n, what) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
      if (slash !== undefined) return slash
      if (n !== undefined) return String(what).repeat(Number(n))
      if (match === '\\') throw new Error(`${name}: a backslash that escapes nothing`)
      return match
    },
  )
  const bodyBytes = plain.length - plain.indexOf('\r\n\r\n') - 4
  return Buffer.from(plain.replace('\\{length}', bodyBytes.toString()), 'latin1')
}
