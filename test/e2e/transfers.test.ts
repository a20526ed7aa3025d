// SPDX-License-Identifier: MIT
// Two phones that we did not write, baresip and linphonec, through two edges: calls in both directions, hold and resume by re-INVITE,
// blind and attended transfer. All runs in a network namespace of its own. Media is not looked at.
import { waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { baresip, startBaresip } from './support/baresip.ts'
import { Cluster } from './support/cluster.ts'
import { linphone, type RealPhone, type RealPhoneOptions, startLinphone } from './support/linphone.ts'
import { createNamespace, NAMESPACE_ADDRESS, type Namespace } from './support/namespace.ts'

const SETTLE_MS = 700
let namespace: Namespace | undefined
let cluster: Cluster | undefined
let reason = ''
const phones: RealPhone[] = []

beforeAll(async () => {
  reason = [linphone, baresip].flatMap((program) => (program.available ? [] : [program.reason])).join('; ')
  if (reason !== '') return
  const made = createNamespace()
  if (typeof made === 'string') {
    reason = made
    return
  }
  namespace = made
  cluster = await Cluster.start({
    prefix: made.prefix,
    bind: NAMESPACE_ADDRESS,
    env: { TANDEM_POLICY_CHALLENGE_ORDER: 'MD5' }, // what baresip 1.0 knows
  })
})
beforeEach((context) => {
  if (reason !== '') context.skip(reason)
})
afterEach(async () => {
  for (const phone of phones.splice(0).reverse()) await phone.stop()
})
afterAll(async () => {
  await cluster?.stop()
  namespace?.remove()
})

const pause = (ms = SETTLE_MS): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function start(kind: 'baresip' | 'linphonec', user: string, edge: 0 | 1, answers = false): Promise<RealPhone> {
  const running = cluster as Cluster
  const proxy = `${NAMESPACE_ADDRESS}:${running.sipPort(edge)}`
  const options: RealPhoneOptions = { user, proxy, answers, prefix: (namespace as Namespace).prefix }
  const phone = await (kind === 'baresip' ? startBaresip(options) : startLinphone(options))
  phones.push(phone)
  return phone
}

/** The records that are new since `seen`, once there are `count`. */
async function recordsSince(seen: number, count: number) {
  const running = cluster as Cluster
  for (let waited = 0; waited < 8_000 && running.records().length < seen + count; waited += 100) await pause(100)
  const lines = running.records().slice(seen)
  expect(lines, running.process.output().slice(-1_000)).toHaveLength(count)
  return lines
}

const seenSoFar = (): number => (cluster as Cluster).records().length

/** Waits until the phone has said it so many times. */
function heard({ process }: RealPhone, pattern: RegExp, times = 1): Promise<void> {
  const count = (): number => [...process.output().matchAll(new RegExp(pattern, 'g'))].length
  return waitUntil(`${pattern} ${times} times`, () => count() >= times, 10_000).catch((error: Error) => {
    throw new Error(`${error.message}\n${process.output().slice(-3_000)}`)
  })
}

const STREAMS = /Media streams established/
const UP = /Call established/

it('baresip calls linphonec, holds, resumes, hangs up', async () => {
  const seen = seenSoFar()
  const bob = await start('linphonec', 'bob', 1, true)
  const alice = await start('baresip', 'alice', 0)
  await pause()
  alice.say('dial sip:bob@example.test')
  await heard(bob, STREAMS)
  await pause()
  alice.say('hold')
  await heard(bob, /has been paused by/)
  alice.say('resume')
  await heard(bob, STREAMS, 2)
  alice.say('hangup')
  await heard(bob, /ended/)
  expect(await recordsSince(seen, 1)).toMatchObject([{ outcome: 'answered', ended_by: 'caller' }])
})

it('linphonec calls baresip, holds, resumes, is hung up', async () => {
  const seen = seenSoFar()
  const bob = await start('baresip', 'bob', 1, true)
  const alice = await start('linphonec', 'alice', 0)
  await pause()
  alice.say('call sip:bob@example.test')
  await heard(bob, UP)
  await pause()
  alice.say('pause 1')
  await heard(alice, /is now paused/)
  alice.say('resume 1')
  await heard(alice, STREAMS, 2)
  bob.say('hangup')
  await heard(alice, /ended/)
  expect(await recordsSince(seen, 1)).toMatchObject([{ outcome: 'answered', ended_by: 'callee' }])
})

it('blind transfer by the callee: baresip is sent on to a third phone [RFC3515-2.4]', async () => {
  const seen = seenSoFar()
  const carol = await start('linphonec', 'carol', 1, true)
  const bob = await start('linphonec', 'bob', 1, true)
  const alice = await start('baresip', 'alice', 0)
  await pause()
  alice.say('dial sip:bob@example.test')
  await heard(bob, STREAMS)
  await pause()
  bob.say('transfer sip:carol@example.test')
  await heard(carol, STREAMS)
  await heard(bob, /ended/)
  alice.say('hangup')
  await heard(carol, /ended/)
  const lines = await recordsSince(seen, 2)
  expect(lines.map(({ from_uri, to_uri, outcome }) => [from_uri, to_uri.split(';')[0], outcome])).toEqual([
    ['sip:alice@example.test', 'sip:bob@example.test', 'answered'],
    ['sip:alice@example.test', 'sip:carol@example.test', 'answered'],
  ])
})

it('blind transfer by baresip, the caller: linphonec is sent on', async () => {
  const seen = seenSoFar()
  const carol = await start('linphonec', 'carol', 0, true)
  const bob = await start('linphonec', 'bob', 1, true)
  const alice = await start('baresip', 'alice', 0)
  await pause()
  alice.say('dial sip:bob@example.test')
  await heard(bob, STREAMS)
  await pause()
  alice.say('transfer sip:carol@example.test')
  await heard(carol, STREAMS)
  carol.say('terminate')
  await heard(bob, /ended/)
  const lines = await recordsSince(seen, 2)
  expect(lines.map(({ from_uri, outcome }) => [from_uri, outcome])).toContainEqual(['sip:bob@example.test', 'answered'])
})

it('attended transfer: bob asks carol first, then connects alice with her, by Replaces [RFC3891-3]', async () => {
  const seen = seenSoFar()
  const carol = await start('linphonec', 'carol', 0, true)
  const alice = await start('linphonec', 'alice', 0)
  const bob = await start('linphonec', 'bob', 1, true)
  await pause()
  alice.say('call sip:bob@example.test')
  await heard(bob, STREAMS)
  await pause()
  bob.say('pause 1')
  await heard(bob, /is now paused/)
  bob.say('call sip:carol@example.test')
  await heard(carol, STREAMS)
  await pause()
  bob.say('transfer 1 --to-call 2')
  await heard(carol, STREAMS, 2)
  await heard(bob, /Call 2 with \S+ ended/)
  bob.say('terminate 1') // unless alice has hung up already
  await heard(bob, /Call 1 with \S+ ended/)
  alice.say('terminate')
  await heard(carol, /ended/, 2)
  const lines = await recordsSince(seen, 3)
  const pairs = lines.map(({ from_uri, to_uri }) => `${from_uri} > ${to_uri}`)
  expect(pairs).toContain('sip:alice@example.test > sip:carol@example.test')
})
