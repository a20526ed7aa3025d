// SPDX-License-Identifier: MIT
// What a Redis server is asked, by MONITOR: the commands that clients sent, and those that their scripts ran.
import { connect } from 'node:net'
import type { RunningRedis } from '@tandem/test-kit'
import { waitUntil } from '@tandem/test-kit'

export interface Seen {
  /** Names in lower case, in order. */
  readonly sent: string[]
  readonly inScripts: string[]
}

export interface Monitor {
  /** What the server was asked while `act` ran. */
  during(act: () => Promise<unknown>): Promise<Seen>
  close(): void
}

const LINE = /^\+?\d+\.\d+ \[\d+ (\S+)\] "([^"]+)"(.*)$/

export async function openMonitor(redis: RunningRedis): Promise<Monitor> {
  const socket = connect(redis.port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part
  })
  socket.write('MONITOR\r\n')
  await waitUntil('MONITOR', () => text.includes('+OK'))
  let marks = 0
  const mark = async (): Promise<number> => {
    const name = `mark-${++marks}`
    await redis.ask('ECHO', name)
    await waitUntil(name, () => text.includes(`"${name}"`))
    return text.indexOf(`"${name}"`)
  }
  return {
    during: async (act) => {
      const from = await mark()
      await act()
      const to = await mark()
      return readLines(text.slice(from, to))
    },
    close: () => socket.destroy(),
  }
}

function readLines(text: string): Seen {
  const seen: Seen = { sent: [], inScripts: [] }
  for (const line of text.split('\r\n')) {
    const [, client, name = ''] = LINE.exec(line) ?? []
    if (client === undefined || name.toLowerCase() === 'echo') continue
    const list = client === 'lua' ? seen.inScripts : seen.sent
    list.push(name.toLowerCase())
  }
  return seen
}
