// SPDX-License-Identifier: MIT
import { Readable } from 'node:stream'
import { UserNames } from '@tandem/service-kit'
import { expect, it } from 'vitest'
import type { LogFlags } from './flags.ts'
import { logs } from './logs.ts'

const RING = [{ id: 1, secret: 'a secret for tests only' }]
const ALL: LogFlags = { call: '', user: '', event: '', level: 'trace', output: 'text' }
const alice = new UserNames('hashed', RING).uri('sip:alice@example.test')
const ENDED = JSON.stringify({
  level: 'info',
  time: '2026-01-02T03:04:05.678Z',
  service: 'records',
  event: 'call_end',
  call_id: 'call-1',
  call_ref: 'ref-1',
  from_uri: alice,
  edges: ['edge-0'],
  msg: 'call ended',
})
const MESSAGE = JSON.stringify({
  level: 'debug',
  time: '2026-01-02T03:04:04.000Z',
  service: 'edge',
  edge: 'edge-0',
  event: 'message',
  call_id: 'call-2',
  peer: '192.0.2.1:5060',
  message: 'BYE sip:bob@example.test SIP/2.0\r\nFrom: <sip:carol@example.test>\r\n\r\n',
  msg: 'received',
})
const FAILED = JSON.stringify({
  level: 'error',
  time: 'x',
  service: 'policy',
  callRef: 'ref-1',
  err: { message: 'm' },
  msg: 'a\u001b[2Jb',
})
const INPUT = ['not a log', `edge-0  | ${MESSAGE}`, ENDED, FAILED, '{broken']

async function run(flags: Partial<LogFlags>): Promise<string[]> {
  const shown: string[] = []
  for await (const line of logs([], { ...ALL, ...flags }, RING, Readable.from(INPUT.map((line) => `${line}\n`))))
    shown.push(line)
  return shown
}

it('prints lines for people, messages and errors below', async () => {
  expect(await run({})).toEqual([
    'not a log',
    '03:04:04.000  debug  edge-0  received  call_id=call-2  peer=192.0.2.1:5060\n    BYE sip:bob@example.test SIP/2.0\n    From: <sip:carol@example.test>',
    `03:04:05.678  info   records  call ended  call_id=call-1  call_ref=ref-1  from_uri=${alice}  edges=["edge-0"]`,
    'x  error  policy  a·[2Jb  callRef=ref-1\n    m',
    '{broken',
  ])
})

it.each<[string, Partial<LogFlags>, string[]]>([
  ['a call by its Call-ID', { call: 'call-1' }, [ENDED]],
  ['a call by its reference, in old names and new', { call: 'ref-1' }, [ENDED, FAILED]],
  ['a level and above', { level: 'info' }, [ENDED, FAILED]],
  ['an event', { event: 'message' }, [MESSAGE]],
  ['a user who is named by a hash', { user: 'alice' }, [ENDED]],
  ['a user with his domain', { user: 'sip:alice@example.test' }, [ENDED]],
  ['a user in a message', { user: 'carol@example.test' }, [MESSAGE]],
  ['nobody', { user: 'ali' }, []],
  ['all that is JSON', {}, [MESSAGE, ENDED, FAILED]],
])('picks %s', async (_what, flags, expected) => {
  expect(await run({ ...flags, output: 'json' })).toEqual(expected)
})

it('says which file can not be read', async () => {
  const first = logs(['/nowhere/at-all'], ALL, RING).next()
  await expect(first).rejects.toThrow(/\/nowhere\/at-all can not be read: ENOENT/)
})

it('finds lines of a user from before another key came first', async () => {
  const shown: string[] = []
  const ring = [{ id: 2, secret: 'another secret for tests' }, ...RING]
  const flags = { ...ALL, user: 'alice@example.test' }
  for await (const line of logs([], flags, ring, Readable.from([`${ENDED}\n`]))) shown.push(line)
  expect(shown).toHaveLength(1)
})
