// SPDX-License-Identifier: MIT
//
// Hunt groups whose members log in, take turns and have idle times, at two policy nodes with one store: as callers and members find them. Not
// here: orders of members (packages/resources/src/flow), the store (packages/store/src/contract/groups.ts).
import { policy } from '@tandem/rpc'
import { createReference } from '@tandem/store'
import { beforeEach, describe, expect, test } from 'vitest'
import type { PolicyService } from '../options.ts'
import { authenticated, createWorld, decideOn, outcomeOf, reportTo, request, type World } from '../policy-fixture.ts'

const DOMAIN = 'example.test'
const resource = (kind: string, name: string, spec: object = {}, domain: object = { domain: DOMAIN }) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata: { name, ...domain },
  spec,
})
const users = ['alice', 'bob', 'carol', 'dave']
const members = ['bob', 'carol', 'dave']
const group = (name: string, spec: object) => resource('HuntGroup', name, { members, ringMs: 5_000, ...spec })

const DOCUMENTS = [
  resource('Domain', DOMAIN, { accounting: true, featureCodes: { groupLogin: '*50', groupLogout: '*51' } }, {}),
  ...users.map((name) => resource('Subscriber', name, { credentials: { password: `${name}-secret` } })),
  group('turns', { strategy: 'round-robin' }),
  group('sales', { login: true, username: '600', overflow: { unreachable: { subscriber: 'alice' } } }),
  group('strict', { login: true, members: ['bob', { to: { number: '+4930123' } }] }),
  group('idle', { strategy: 'longest-idle' }),
  group('open', {}),
]

let world: World
let nodes: readonly [PolicyService, PolicyService]
beforeEach(async () => {
  world = await createWorld(DOCUMENTS)
  nodes = [world.node(), world.node()]
})

/** Who dials, at one of the nodes. */
const dial = (who: string, user: string, node = nodes[0]): Promise<policy.DecideResponse> => {
  const to = `sip:${user}@${DOMAIN}`
  return authenticated(
    node,
    { requestUri: to, from: `<sip:${who}@${DOMAIN}>;tag=a1`, to: `<${to}>` },
    { username: who, password: `${who}-secret` },
  )
}
/** Users that ring, step by step. */
async function rings(user: string, node = nodes[0]): Promise<string[]> {
  const { verdict } = await dial('alice', user, node)
  const steps = verdict?.$case === 'plan' ? verdict.value.steps : []
  return steps.map(({ targets }) => targets.map(({ where }) => /sip:(\w+)@/.exec(String(where?.value))?.[1]).join('+'))
}
const said = ({ verdict }: policy.DecideResponse) =>
  verdict?.$case === 'reject' ? `${verdict.value.status} ${verdict.value.reason}` : verdict?.$case

test('turns are those of all nodes', async () => {
  expect(await rings('turns', nodes[0])).toEqual(['bob', 'carol', 'dave'])
  expect(await rings('turns', nodes[1])).toEqual(['carol', 'dave', 'bob'])
  expect(await rings('turns', nodes[0])).toEqual(['dave', 'bob', 'carol'])
})

describe('feature codes', () => {
  test('a member logs in at one node and rings by the other, until he logs out', async () => {
    expect(await rings('600', nodes[1])).toEqual(['alice'])
    expect(said(await dial('carol', '*50600', nodes[0]))).toBe('480 Logged in to 600')
    expect(said(await dial('carol', '*50600', nodes[1]))).toBe('480 Logged in to 600')
    expect((await rings('600', nodes[1]))[0]).toBe('carol')
    expect(said(await dial('carol', '*51', nodes[1]))).toBe('480 Logged out of 600')
    expect(await rings('600', nodes[0])).toEqual(['alice'])
  })

  test('without a group it is all of his that have logins', async () => {
    expect(said(await dial('bob', '*50'))).toBe('480 Logged in to 600 strict')
    expect((await rings('600'))[0]).toBe('bob')
  })

  test.each([
    ['alice', '*50', 'who is in no group'],
    ['dave', '*50strict', 'of another group'],
    ['dave', '*50open', 'of a group without logins'],
    ['dave', '*50nothing', 'of no group at all'],
  ])('%s dials %s: 403, he is a member %s', async (who, code) => {
    const answer = await dial(who, code)
    expect(outcomeOf(answer)).toBe('reject 403 not_a_member')
  })

  test('a stranger and a wrong password log nobody in', async () => {
    const to = `sip:*50@${DOMAIN}`
    const asked = request({ requestUri: to, to: `<${to}>`, from: `<sip:bob@${DOMAIN}>;tag=a1` })
    expect(outcomeOf(await decideOn(nodes[0], asked))).toBe('challenge 407')
    expect(await rings('600')).toEqual(['alice'])
  })

  test('other methods and other domains are calls like others', async () => {
    const to = `sip:*50@${DOMAIN}`
    const parts = { method: 'MESSAGE', requestUri: to, to: `<${to}>`, from: `<sip:bob@${DOMAIN}>;tag=a1` }
    const answer = await authenticated(nodes[0], parts, { username: 'bob', password: 'bob-secret' })
    expect(outcomeOf(answer)).toBe('reject 404 unknown_user')
  })
})

test('the longest idle rings first: those without a call, then by the end of the last one', async () => {
  const talk = async (aor: string) => {
    const callRef = createReference()
    const call = policy.Call.create({ callId: callRef, fromTag: 'a1', setupAgeMs: 0, ringAgeMs: 0xffffffff })
    const answerer = { aor, userAgent: '', transport: 'udp', address: '192.0.2.3', port: 5060, trunk: '' }
    const answer = { toTag: 'b1', status: 200, target: 'sip:x@192.0.2.3', answerer }
    const end = { fromTag: 'a1', toTag: 'b1', by: 'caller', status: 200, reason: '' }
    await reportTo(nodes[0], { callRef, call, ageMs: 0, event: { $case: 'answered', value: answer } })
    world.clock.ms += 60_000
    await reportTo(nodes[1], { callRef, call, ageMs: 0, event: { $case: 'ended', value: end } })
    world.clock.ms += 1_000
  }
  expect(await rings('idle')).toEqual(['bob', 'carol', 'dave'])
  await talk(`sip:bob@${DOMAIN}`)
  await talk(`sip:dave@${DOMAIN}`)
  expect(await rings('idle', nodes[1])).toEqual(['carol', 'bob', 'dave'])
  await talk(`sip:bob@${DOMAIN}`)
  expect(await rings('idle')).toEqual(['carol', 'dave', 'bob'])
})

describe('by an administrator', () => {
  const CONTEXT = { msLeft: 1_000, peer: 'cli' }
  const set = (asked: Partial<policy.SetGroupLoginRequest>) =>
    nodes[1].handlers.setGroupLogin?.({ group: '', member: `carol@${DOMAIN}`, loggedIn: true, ...asked }, CONTEXT)
  const list = async (name: string) => nodes[0].handlers.listGroup?.({ group: name }, CONTEXT)

  test('logs a member in, lists who is, and says what changed', async () => {
    expect(await set({})).toMatchObject({ outcome: 'done', value: { groups: [`600@${DOMAIN}`], changed: 1 } })
    expect(await set({ group: `600@${DOMAIN}` })).toMatchObject({ outcome: 'done', value: { changed: 0 } })
    world.clock.ms += 5_000
    expect(await list(`600@${DOMAIN}`)).toMatchObject({
      outcome: 'done',
      value: {
        login: true,
        members: [
          { member: `bob@${DOMAIN}`, loggedInMs: undefined },
          { member: `carol@${DOMAIN}`, loggedInMs: 5_000n, idleMs: undefined },
          { member: `dave@${DOMAIN}` },
        ],
      },
    })
    expect(await set({ loggedIn: false })).toMatchObject({ outcome: 'done', value: { changed: 1 } })
  })

  test.each([
    [{ member: `nobody@${DOMAIN}` }, 'unknown_user'],
    [{ member: `600@${DOMAIN}` }, 'unknown_user'],
    [{ group: `alice@${DOMAIN}` }, 'unknown_group'],
    [{ group: 'x@elsewhere.test' }, 'unknown_group'],
    [{ group: `strict@${DOMAIN}` }, 'not_a_member'],
    [{ member: `alice@${DOMAIN}` }, 'not_a_member'],
  ])('%j: %s', async (asked, code) => {
    expect(await set(asked)).toMatchObject({ outcome: 'refused', refusal: { code } })
  })

  test('a group without either has nothing to list', async () => {
    expect(await list(`open@${DOMAIN}`)).toMatchObject({ refusal: { code: 'unknown_group' } })
  })
})
