// SPDX-License-Identifier: MIT
// What a proxy, registrar and redirect server owes, one SIPp scenario a behaviour, named after it: `<name>.xml` is who begins, `<name>.*.xml`
// are the others. The domains here ask nobody for credentials, so that a scenario shows its behaviour and nothing else.
// Not tested here: credentials, records, transports (calls.test.ts, requests.test.ts), phones (phones.test.ts).
import { type RunningSipp, type SippResult, sippAvailable } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Cluster } from './support/cluster.ts'
import { LossyRelay } from './support/lossy-relay.ts'
import { startOpenCluster } from './support/open-cluster.ts'
import { beginSipp, expectPlayed, newCallId, playSipp, type SippRun } from './support/sipp.ts'

const TIMER_C_MS = 2_000
const DOMAINS = {
  'open.test': { aliases: ['localhost'] },
  'serial.test': { forking: 'q' },
  'redirect.test': { routing: 'redirect' },
  'recurse.test': { redirects: 'recurse' },
}
const sipp = sippAvailable()
let cluster: Cluster
let users = 0

beforeAll(async () => {
  if (!sipp.available) return
  cluster = await startOpenCluster(DOMAINS, { edge: { timers: { timerCMs: TIMER_C_MS } } })
})
beforeEach((context) => {
  if (!sipp.available) context.skip(sipp.reason)
})
afterAll(() => cluster?.stop())

/** A user that no other test has registered; every domain of the file has them. */
function newUser(): string {
  users += 1
  return `user${users}`
}

interface Party {
  readonly scenario: string
  readonly more?: Partial<SippRun>
  /** Parameters of its Contact. */
  readonly params?: string
}

interface Scene {
  readonly domain?: string
  readonly user?: string
  readonly parties?: readonly Party[]
  readonly caller?: Partial<SippRun>
  /** Edge that the caller uses; the parties register at the other. */
  readonly edge?: 0 | 1
}

/** Binds a contact of `user`; the phone is there already. */
async function bind(user: string, domain: string, contact: string, edge = 1): Promise<void> {
  const keys = { domain, contact }
  expectPlayed(await playSipp({ scenario: 'register-open', port: cluster.sipPort(edge), user, keys }))
}

/** Plays `<name>.xml` against the parties, and sees that each has gone as its file says. */
async function play(name: string, scene: Scene = {}): Promise<{ caller: SippResult; parties: SippResult[] }> {
  const { domain = 'open.test', user = newUser(), parties = [], edge = 0 } = scene
  const running: RunningSipp[] = []
  for (const { scenario, more, params = '' } of parties) {
    const party = await beginSipp({ scenario: `${name}.${scenario}`, ...more })
    running.push(party)
    await bind(user, domain, `<sip:${user}@127.0.0.1:${party.port}>${params}`, 1 - edge)
  }
  const keys = { callee: user, domain, other_port: cluster.sipPort(1 - edge), ...scene.caller?.keys }
  const caller = await playSipp({
    scenario: name,
    port: cluster.sipPort(edge),
    user: 'caller',
    callId: newCallId(name),
    ...scene.caller,
    keys,
  })
  expectPlayed(caller)
  const results = await Promise.all(running.map((party) => party.result))
  for (const result of results) expectPlayed(result)
  return { caller, parties: results }
}

/** What SIPp received, one text a message. */
function received(result: SippResult): string[] {
  const parts = result.messages.split(/^-{20,}.*$/m)
  return parts.filter((part) => / message received \[/.test(part)).map((part) => part.slice(part.indexOf('\n\n') + 2))
}

describe('forking', () => {
  it('fork-parallel-cancel-losers [RFC3261-16.7.10]', async () => {
    await play('fork-parallel-cancel-losers', {
      parties: [{ scenario: 'loser' }, { scenario: 'winner' }, { scenario: 'loser' }],
    })
  })

  it('fork-serial-failover-503 [RFC3261-16.6]', async () => {
    const parties = [
      { scenario: 'first', params: ';q=1.0' },
      { scenario: 'second', params: ';q=0.5' },
    ]
    await play('fork-serial-failover-503', { domain: 'serial.test', parties })
  })

  it('best-response-6xx [RFC3261-16.7.5]', async () => {
    await play('best-response-6xx', { parties: ['busy', 'rings', 'declines'].map((scenario) => ({ scenario })) })
  })

  it('auth-two-branches [RFC3261-16.7.7]', async () => {
    await play('auth-two-branches', { parties: [{ scenario: 'first' }, { scenario: 'second' }] })
  })
})

describe('redirection', () => {
  it('redirect-302 [RFC3261-8.3]', async () => {
    const user = newUser()
    for (const [host, q] of [
      ['192.0.2.1', '0.3'],
      ['192.0.2.2', '0.9'],
    ]) {
      await bind(user, 'redirect.test', `<sip:${user}@${host}>;q=${q}`)
    }
    const { caller } = await play('redirect-302', { domain: 'redirect.test', user })
    const contacts = [...(received(caller).at(-1) ?? '').matchAll(/^Contact: <sip:[^@]*@([0-9.]+)>;q=([0-9.]+)/gm)]
    expect(contacts.map(([, host, q]) => [host, q])).toEqual([
      ['192.0.2.2', '0.9'],
      ['192.0.2.1', '0.3'],
    ])
  })

  it('recurse-302 [RFC3261-16.7.4]', async () => {
    const elsewhere = await beginSipp({ scenario: 'recurse-302.elsewhere' })
    const keys = { elsewhere: `sip:other@127.0.0.1:${elsewhere.port}` }
    await play('recurse-302', { domain: 'recurse.test', parties: [{ scenario: 'moved', more: { keys } }] })
    expectPlayed(await elsewhere.result)
  })
})

describe('calls that end before they begin', () => {
  it.for([
    { name: 'cancel-before-1xx', pauseMs: 800 },
    { name: 'cancel-after-180', pauseMs: 200 },
  ])('$name [RFC3261-16.10]', async ({ name, pauseMs }) => {
    await play(name, { parties: [{ scenario: 'callee', more: { pauseMs } }], caller: { pauseMs } })
  })

  it('timer-c [RFC3261-16.8]', async () => {
    await play('timer-c', { parties: [{ scenario: 'callee' }] })
  })
})

describe('inside a dialog', () => {
  it.for(['ack-2xx-other-edge', 'reinvite-both-ways', 'prack-early-dialog', 'strict-route'])('%s', async (name) => {
    await play(name, { parties: [{ scenario: 'callee' }] })
  })
})

describe('going round', () => {
  it('spiral: the call comes back for somebody else [RFC3261-16.3.4]', async () => {
    const [first, second] = [newUser(), newUser()]
    const party = await beginSipp({ scenario: 'fork-parallel-cancel-losers.winner' })
    await bind(second, 'open.test', `<sip:${second}@127.0.0.1:${party.port}>`)
    await bind(first, 'open.test', `<sip:${second}@localhost:${cluster.sipPort(1)}>`)
    await play('spiral', { user: first })
    expectPlayed(await party.result)
  })

  it('loop-482: the call comes back as it was [RFC3261-16.3.4]', async () => {
    const user = newUser()
    await bind(user, 'open.test', `<sip:${user}@localhost:${cluster.sipPort(0)}>`)
    await play('loop-482', { user })
  })
})

describe('what is refused', () => {
  it.for(['max-forwards-483', 'proxy-require-420', 'message-to-offline-user'])('%s', async (name) => {
    await play(name)
  })
})

describe('transport', () => {
  it('large-invite-switches-to-tcp [RFC3261-18.1.1]', async () => {
    await play('large-invite-switches-to-tcp', { parties: [{ scenario: 'callee', more: { transport: 'tcp' } }] })
  })

  it('retransmissions-absorbed [RFC3261-17.2.1]', async () => {
    const { parties } = await play('retransmissions-absorbed', { parties: [{ scenario: 'callee' }] })
    expect(received(parties[0] as SippResult).filter((text) => text.startsWith('INVITE'))).toHaveLength(1)
  })
})

describe('a network that loses every message once', () => {
  it('the call comes about all the same, and the edge repeats what it owes [RFC3261-17]', async () => {
    const user = newUser()
    const callee = await beginSipp({ scenario: 'lossy-network.callee', timeoutMs: 30_000 })
    const [far, near] = [await LossyRelay.open(callee.port), await LossyRelay.open(cluster.sipPort(0))]
    try {
      await bind(user, 'open.test', `<sip:${user}@127.0.0.1:${far.port}>`)
      const keys = { callee: user, domain: 'open.test' }
      const run = {
        scenario: 'lossy-network',
        port: near.port,
        user: 'caller',
        keys,
        pauseMs: 6_000,
        timeoutMs: 30_000,
      }
      expectPlayed(await playSipp(run))
      expectPlayed(await callee.result)
      expect(near.lost).toBeGreaterThan(5)
      expect(far.lost).toBeGreaterThan(3)
    } finally {
      near.close()
      far.close()
    }
  }, 40_000)
})

describe('registrar', () => {
  it.for(['register-423', 'register-star', 'register-outoforder-cseq'])('%s', async (name) => {
    await play(name, { caller: { user: newUser() } })
  })

  it('path-and-gruu: both ways by which a call finds a phone behind a proxy [RFC3327-5.4] [RFC5627-5.1]', async () => {
    const user = newUser()
    const proxy = await beginSipp({ scenario: 'path-and-gruu.callee' })
    const registered = await play('path-and-gruu', { caller: { user, keys: { proxy: `127.0.0.1:${proxy.port}` } } })
    const reply = received(registered.caller).at(-1) ?? ''
    const uri = /pub-gruu="([^"]+)"/.exec(reply)?.[1] ?? ''
    await play('path-and-gruu.caller', { user, caller: { keys: { uri } } })
    expectPlayed(await proxy.result)
  })

  it('reg-event [RFC3680-4]', async () => {
    const user = newUser()
    const watching = playSipp({
      scenario: 'reg-event',
      port: cluster.sipPort(0),
      user,
      keys: { domain: 'open.test', callee: user },
      timeoutMs: 20_000,
    })
    await new Promise((resolve) => setTimeout(resolve, 500))
    await bind(user, 'open.test', `<sip:${user}@192.0.2.7>`)
    expectPlayed(await watching)
  })
})

describe('over IPv6', () => {
  it('ipv6-call: registered and called at ::1, through two edges [RFC5118-4.1]', async () => {
    const address = '::1'
    const six = await startOpenCluster({ 'open.test': {} }, { edge: { bindAddress: address } })
    try {
      const callee = await beginSipp({ scenario: 'ipv6-call.callee', address })
      const keys = { domain: 'open.test', contact: `<sip:user1@[::1]:${callee.port}>`, callee: 'user1' }
      expectPlayed(await playSipp({ scenario: 'register-open', port: six.sipPort(1), address, user: 'user1', keys }))
      const call = await playSipp({ scenario: 'ipv6-call', port: six.sipPort(0), address, user: 'user2', keys })
      expectPlayed(call)
      expectPlayed(await callee.result)
      expect(received(call).at(-1)).toMatch(/^Via: SIP\/2\.0\/UDP \[::1\]:/m)
    } finally {
      await six.stop()
    }
  }, 30_000)
})
