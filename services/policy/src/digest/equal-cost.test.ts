// SPDX-License-Identifier: MIT
//
// From outside nobody learns who exists: an unknown user, a wrong password and an algorithm for which there is no hash get the
// same challenge after the same work. Time is compared by medians of interleaved rounds, generously: a lookup that hashes more for
// one of them would show as a factor.
import { createHash } from 'node:crypto'
import type { policy } from '@tandem/rpc'
import { expect, test } from 'vitest'
import { type Answer, answerTo, createWorld, decideOn, rawDecide, request } from '../policy-fixture.ts'

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
const world = await createWorld([
  { apiVersion: 'tandem/v1', kind: 'Domain', metadata: { name: 'example.test' } },
  {
    apiVersion: 'tandem/v1',
    kind: 'Subscriber',
    metadata: { name: 'alice', domain: 'example.test' },
    spec: { credentials: { password: 'alice-secret' } },
  },
  {
    apiVersion: 'tandem/v1',
    kind: 'Subscriber',
    metadata: { name: 'md5er', domain: 'example.test' },
    spec: { credentials: { ha1: { md5: md5('md5er:example.test:md5er-secret') } } },
  },
])
const node = world.node()

/** Names of one length, so that no text is longer than another. */
const CASES: Readonly<Record<string, Answer>> = {
  'wrong password': { username: 'alice', algorithm: 'SHA-256', password: 'guess' },
  'unknown user': { username: 'nobod', algorithm: 'SHA-256', password: 'guess' },
  'no hash for the algorithm': { username: 'md5er', algorithm: 'SHA-256' },
  'wrong password, MD5': { username: 'md5er', algorithm: 'MD5', password: 'guess' },
  'unknown user, MD5': { username: 'nobod', algorithm: 'MD5', password: 'guess' },
}

const shapeOf = ({ verdict }: policy.DecideResponse): unknown =>
  JSON.parse(JSON.stringify(verdict).replaceAll(/nonce=\\"[^"]*\\"/g, 'nonce'))

async function askedAs(how: Answer): Promise<policy.DecideRequest> {
  const asked = request({ method: 'MESSAGE' })
  return { ...asked, credentials: [answerTo(await decideOn(node, asked), asked, how)] }
}

test('a challenge says nothing of the user', async () => {
  const shapes = []
  for (const how of Object.values(CASES)) shapes.push(shapeOf(await decideOn(node, await askedAs(how))))
  shapes.push(shapeOf(await decideOn(node, request({ method: 'MESSAGE' }))))
  for (const shape of shapes) expect(shape).toEqual(shapes[0])
})

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
const ROUNDS = 60
const PER_ROUND = 50

test('and costs the same', async () => {
  const asked = new Map<string, policy.DecideRequest>()
  for (const [what, how] of Object.entries(CASES)) asked.set(what, await askedAs(how))
  const times = new Map([...asked.keys()].map((what) => [what, [] as number[]]))
  for (let round = -5; round < ROUNDS; round++) {
    for (const [what, one] of asked) {
      const started = performance.now()
      for (let i = 0; i < PER_ROUND; i++) void rawDecide(node, one)
      if (round >= 0) times.get(what)?.push(performance.now() - started)
    }
  }
  const medians = new Map([...times].map(([what, list]) => [what, median(list)]))
  const [slow, fast] = ['wrong password', 'unknown user', 'no hash for the algorithm']
    .map((what) => medians.get(what) ?? 0)
    .reduce(([most, least], time) => [Math.max(most, time), Math.min(least, time)], [0, Infinity])
  expect(slow / fast, JSON.stringify([...medians])).toBeLessThan(1.5)
  const [known = 1, unknown = 1] = [medians.get('wrong password, MD5'), medians.get('unknown user, MD5')]
  expect(Math.max(known, unknown) / Math.min(known, unknown), JSON.stringify([...medians])).toBeLessThan(1.5)
})
