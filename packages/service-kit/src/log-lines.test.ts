// SPDX-License-Identifier: MIT
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { BoundedLines, lineLogger, type UserMode, UserNames } from './log-lines.ts'
import { createLogger } from './logger.ts'

const RING = [{ id: 1, secret: 'a secret for tests only' }]
const lines: Record<string, unknown>[] = []
const logger = createLogger({
  level: 'info',
  service: 'test',
  sink: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
})

beforeEach(() => {
  lines.length = 0
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

it('lets so many lines a second pass, and sums up the rest by its reasons', () => {
  let now = 500
  const bound = new BoundedLines(logger, 'refused', 2, () => now)
  const admitted = (reason: string, times: number) =>
    Array.from({ length: times }, () => bound.admits(reason)).filter(Boolean).length
  expect(admitted('loop', 5)).toBe(2)
  expect(admitted('route', 3)).toBe(0)
  now = 1_000
  expect(admitted('loop', 1)).toBe(1)
  expect(lines).toEqual([])
  vi.advanceTimersByTime(10_000)
  expect(lines).toMatchObject([
    { level: 'warn', event: 'lines_left_out', kind: 'refused', count: 6, by_reason: { loop: 3, route: 3 } },
  ])
  bound.flush()
  vi.advanceTimersByTime(60_000)
  expect(lines).toHaveLength(1)
})

it('sums up a bounded number of reasons', () => {
  const bound = new BoundedLines(logger, 'refused', 0, () => 0)
  for (let k = 0; k < 100; k += 1) bound.admits(`r${k}`)
  bound.flush()
  const [line] = lines
  expect(line?.count).toBe(100)
  expect(Object.keys(line?.by_reason as object)).toHaveLength(33)
})

it('a logger for lines has the fields of its logger, and writes what it is given', () => {
  lineLogger(logger, { edge: 'edge-0' }).info({ call_id: 'c' }, 'x')
  expect(lines).toMatchObject([{ service: 'test', edge: 'edge-0', call_id: 'c', msg: 'x' }])
})

const URIS: readonly [uri: string, plain: string | undefined, hashed: RegExp | undefined][] = [
  ['sip:alice@example.test', 'sip:alice@example.test', /^sip:~[\w-]{12}@example\.test$/],
  ['sips:alice@example.test:5061;a=b', 'sips:alice@example.test:5061;a=b', /^sips:~[\w-]{12}@example\.test:5061;a=b$/],
  ['sip:alice:hush-hush@example.test', 'sip:alice@example.test', /^sip:~[\w-]{12}@example\.test$/],
  ['tel:+4930123;phone-context=x', 'tel:+4930123;phone-context=x', /^tel:~[\w-]{12};phone-context=x$/],
  ['alice@example.test', 'alice@example.test', /^~[\w-]{12}@example\.test$/],
  ['sip:example.test', 'sip:example.test', /^sip:example\.test$/],
  ['sip:192.0.2.1:5060;lr', 'sip:192.0.2.1:5060;lr', /^sip:192\.0\.2\.1:5060;lr$/],
  ['<<<', '<<<', undefined],
  ['', undefined, undefined],
]

it.each(URIS)('names %s as the setting says', (uri, plain, hashed) => {
  const of = (mode: UserMode) => new UserNames(mode, RING).uri(uri)
  expect(of('plain')).toBe(plain)
  if (hashed === undefined) expect(of('hashed')).toBeUndefined()
  else expect(of('hashed')).toMatch(hashed)
  expect(of('off')).toBeUndefined()
})

it('a name is the same everywhere in a cluster, and another in another cluster', () => {
  const names = (secret: string) => new UserNames('hashed', [{ id: 1, secret }]).user('alice')
  expect(names('one cluster')).toBe(names('one cluster'))
  expect(names('one cluster')).not.toBe(names('another cluster'))
})

it('a URI without end is cut', () => {
  expect(new UserNames('plain', RING).uri(`sip:${'a'.repeat(9_000)}@b`)?.length).toBe(256)
})

it('names people with another key from the next line on', () => {
  const [first, second] = [[{ id: 1, secret: 'a' }], [{ id: 2, secret: 'b' }]]
  const names = new UserNames('hashed', first)
  const before = names.user('alice')
  names.useKeyRing(second)
  expect(names.user('alice')).toBe(new UserNames('hashed', second).user('alice'))
  expect(names.user('alice')).not.toBe(before)
})
