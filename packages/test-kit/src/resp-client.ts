// SPDX-License-Identifier: MIT
// One command to a Redis server, without a client library: a test that kills servers wants no reconnecting. Arrays come as their lines.
import { connect } from 'node:net'

/** The reply's text; an error reply, a lost connection and silence reject. */
export function askRedis(
  port: number,
  words: readonly string[],
  password?: string,
  timeoutMs = 2_000,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    const commands = password === undefined ? [words] : [['AUTH', password], words]
    let received = ''
    const finish = (act: () => void): void => {
      clearTimeout(timer)
      socket.destroy()
      act()
    }
    const timer = setTimeout(() => finish(() => reject(new Error(`redis ${port}: silent`))), timeoutMs)
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.write(commands.map(encodeCommand).join('')))
    socket.on('error', (error) => finish(() => reject(error)))
    socket.on('close', () => finish(() => reject(new Error(`redis ${port}: connection lost`))))
    socket.on('data', (text: string) => {
      received += text
      const reply = lastReply(received, commands.length)
      if (reply === undefined) return
      finish(() => (reply.startsWith('-') ? reject(new Error(`redis ${port}: ${reply.slice(1)}`)) : resolve(reply)))
    })
  })
}

function encodeCommand(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}

/** The count-th reply where it is complete; errors keep their '-'. An earlier error is returned at once. */
function lastReply(text: string, count: number): string | undefined {
  let at = 0
  for (let i = 1; ; i++) {
    const reply = readReply(text, at)
    if (reply === undefined) return undefined
    if (i === count || reply.text.startsWith('-')) return reply.text
    at = reply.end
  }
}

function readReply(text: string, at: number): { text: string; end: number } | undefined {
  const lineEnd = text.indexOf('\r\n', at)
  if (lineEnd < 0) return undefined
  const line = text.slice(at + 1, lineEnd)
  switch (text[at]) {
    case '$':
      return readBulk(text, lineEnd + 2, Number(line))
    case '*':
      return readArray(text, lineEnd + 2, Number(line))
    case '-':
      return { text: `-${line}`, end: lineEnd + 2 }
    default:
      return { text: line, end: lineEnd + 2 }
  }
}

function readBulk(text: string, at: number, length: number): { text: string; end: number } | undefined {
  if (length < 0) return { text: '', end: at }
  return text.length < at + length + 2 ? undefined : { text: text.slice(at, at + length), end: at + length + 2 }
}

function readArray(text: string, at: number, count: number): { text: string; end: number } | undefined {
  const parts: string[] = []
  let end = at
  for (let i = 0; i < count; i++) {
    const part = readReply(text, end)
    if (part === undefined) return undefined
    parts.push(part.text)
    end = part.end
  }
  return { text: parts.join('\n'), end }
}
