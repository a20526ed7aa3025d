// SPDX-License-Identifier: MIT
//
// Changes that are looked at alone are judged as if all were looked at: random sets of few names, so that they clash often.
import { expect, test } from 'vitest'
import { parseDocument } from '../parse-document.ts'
import { canonicalNumber } from '../phone-number.ts'
import { loginOf } from '../subscriber.ts'
import { document } from '../testing.ts'
import { type Changes, checkChanges, type HeldNames } from './check-changes.ts'
import { type Held, holdDocument } from './held.ts'

const OPTIONS = { baseDir: '/', env: {} }

/** The same for the same seed. */
function dice(seed: number) {
  let state = seed
  const next = (sides: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 4_294_967_296) * sides)
  }
  const one = <T>(items: readonly T[]): T => items[next(items.length)] as T
  return { next, one }
}
type Dice = ReturnType<typeof dice>

const NAMES = ['a', 'b', 'c', 'd']
const USERNAMES = ['x', 'y', '1000', '10-00', '+4930123', '+49-30123']
const DOMAINS = ['one.test', 'two.test']

const destination = ({ one }: Dice) =>
  one([{ subscriber: one(NAMES) }, { huntGroup: one(NAMES) }, { number: '+4930123' }, { trunk: { name: one(NAMES) } }])

function spec(throwing: Dice) {
  const { next, one } = throwing
  return {
    ...(next(2) === 0 && { usernames: [one(USERNAMES)] }),
    ...(next(4) === 0 && { account: one(NAMES) }),
    ...(next(4) === 0 && { forwarding: { busy: destination(throwing) } }),
    ...(next(2) === 0 && { credentials: { username: one(['p', 'q', 'r']), ha1: { md5: '0'.repeat(32) } } }),
    ...(next(8) === 0 && { contacts: [{ uri: `sip:a@${one(['one.test', 'away.test'])}` }] }),
  }
}

function randomDocument(throwing: Dice): object {
  const { next, one } = throwing
  const home = { name: one(NAMES), domain: one(DOMAINS) }
  switch (next(12)) {
    case 0:
      return document('Account', { name: one(NAMES) })
    case 1:
      return document('HuntGroup', home, { username: one(USERNAMES), members: [one(NAMES)] })
    case 2: {
      const to = destination(throwing)
      return document('Number', { name: one(NAMES) }, { number: '+4930123', domain: home.domain, to })
    }
    case 3: {
      const login = next(2) === 0 && { inboundCredentials: { username: one(['p', 's']), password: 'x' } }
      return document('Trunk', { name: one(NAMES) }, { hosts: [{ host: 'away.example' }], ...login })
    }
    case 4:
      return document('Domain', { name: home.domain }, next(2) === 0 ? { realm: 'shared' } : {})
    default:
      return document('Subscriber', home, spec(throwing))
  }
}

function randomHeld(throwing: Dice): Held {
  const value = structuredClone(randomDocument(throwing))
  const parsed = parseDocument(value, { file: 'random', document: 1, line: 0 })
  if (!('resource' in parsed)) throw new Error(JSON.stringify(parsed.problems))
  return holdDocument(value, parsed.resource, 'api', 1)
}

/** By looking at everybody. */
function namesOf(held: ReadonlyMap<string, Held>): HeldNames {
  const found = (fits: (one: Held) => boolean): string | undefined => [...held.values()].find(fits)?.key
  const realmOf = (domain: string): string => {
    const home = held.get(`Domain/${domain}`)?.resource
    return (home?.kind === 'Domain' ? home.spec.realm : undefined) ?? domain
  }
  return {
    userOf: (name, domain) =>
      found(({ resource: { kind, metadata, spec } }) => {
        if (kind !== 'Subscriber' || metadata.domain !== domain) return false
        return (spec.usernames ?? [metadata.name]).some((user) => (canonicalNumber(user) || user) === name)
      }),
    loginOf: (username, realm) =>
      found(({ resource }) => {
        if (resource.kind !== 'Subscriber' || resource.spec.credentials === undefined) return false
        return loginOf(resource) === username && realmOf(resource.metadata.domain) === realm
      }),
  }
}

function randomChanges(throwing: Dice, held: ReadonlyMap<string, Held>): Changes {
  const put = new Map(
    Array.from({ length: 1 + throwing.next(2) }, () => randomHeld(throwing)).map((one) => [one.key, one]),
  )
  const kept = [...held.values()].filter(({ key }) => !put.has(key))
  const removed = kept.length > 0 && throwing.next(4) === 0 ? [throwing.one(kept)] : []
  return { put: [...put.values()], removed }
}

test('what is refused when all is looked at is refused, with the same sentences, and nothing else', async () => {
  const counts = { taken: 0, refused: 0 }
  for (let seed = 1; seed <= 40; seed++) {
    const throwing = dice(seed)
    const held = new Map<string, Held>()
    for (let step = 0; step < 60; step++) {
      const changes = randomChanges(throwing, held)
      const all = await checkChanges(held, changes, OPTIONS)
      const alone = await checkChanges(held, changes, { ...OPTIONS, names: namesOf(held) })
      expect(alone).toEqual(all)
      counts[all.length === 0 ? 'taken' : 'refused']++
      if (all.length > 0) continue
      for (const { key } of changes.removed) held.delete(key)
      for (const one of changes.put) held.set(one.key, one)
    }
  }
  expect(counts.taken).toBeGreaterThan(300)
  expect(counts.refused).toBeGreaterThan(300)
})
