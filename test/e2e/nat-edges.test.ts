// SPDX-License-Identifier: MIT
// Two edges with addresses of their own, and phones behind two routers each of which lets in one edge only: they call each other, and either
// side hangs up. And phones that are gone, of which the kernel tells. SIPp plays the phones. Not tested here: what the edges do
// when one of them is gone (services/edge/src/nat/nat-hops.test.ts), keep-alives (nat.test.ts).
import { runSipp, type SippResult, sippAvailable, startSipp } from '@tandem/test-kit'
import { loadAddon } from '@tandem/udp-batch'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from './support/cluster.ts'
import {
  createNatNetwork,
  HOME_ADDRESS,
  type NatNetwork,
  SECOND_HOME_ADDRESS,
  WORLD_ADDRESS,
} from './support/nat-network.ts'
import { startOpenCluster } from './support/open-cluster.ts'

const sipp = sippAvailable()
const DOMAIN = 'nat.test'
const UDP_TIMEOUT_S = 30
/** Far below Timer B, far above what a kernel takes. */
const AT_ONCE_MS = 3_000

let made: NatNetwork | string = 'not asked for'
let cluster: Cluster | undefined

beforeAll(async () => {
  if (!sipp.available) return
  made = createNatNetwork(UDP_TIMEOUT_S)
  if (typeof made === 'string') return
  cluster = await startOpenCluster({ [DOMAIN]: {} }, { prefix: made.world, bind: WORLD_ADDRESS })
})
afterAll(async () => {
  await cluster?.stop()
  if (typeof made !== 'string') made.remove()
})

const whyNot = (): string => (sipp.available ? String(made) : sipp.reason)

const file = (name: string) => ({ file: `${import.meta.dirname}/sipp/${name}.xml` })
const keys = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).flatMap(([name, value]) => ['-key', name, value])
const edgeAt = (k: number): string => `${WORLD_ADDRESS}:${(cluster as Cluster).sipPort(k)}`

function expectPlayed({ exitCode, errors, messages, output }: SippResult): void {
  expect(exitCode, `${errors}\n${output.slice(-600)}\n${messages.slice(-6_000)}`).toBe(0)
}

interface Phone {
  readonly localAddress: string
  readonly localPort: number
  readonly prefix: readonly string[]
}

const places = (port: number): { home: Phone; secondHome: Phone; world: Phone } => {
  const { home, secondHome, world } = made as NatNetwork
  return {
    home: { localAddress: HOME_ADDRESS, localPort: port, prefix: home },
    secondHome: { localAddress: SECOND_HOME_ADDRESS, localPort: port, prefix: secondHome },
    world: { localAddress: WORLD_ADDRESS, localPort: port, prefix: world },
  }
}

async function register(phone: Phone, user: string, edge: number): Promise<void> {
  const contact = `<sip:${user}@${phone.localAddress}:${phone.localPort}>`
  const args = keys({ user, domain: DOMAIN, contact })
  expectPlayed(await runSipp({ ...phone, scenario: file('register-open'), target: edgeAt(edge), args }))
}

/** A phone at home, registered at edge 1, is called by one in another home that is registered at edge 0. */
async function talk(port: number, user: string, answers: string, calls: string): Promise<readonly SippResult[]> {
  const { home, secondHome } = places(port)
  await Promise.all([register(home, user, 1), register(secondHome, `${user}0`, 0)])
  const args = [...keys({ callee: user }), '-d', '300']
  const callee = await startSipp({ ...home, scenario: file(answers), args })
  const caller = await runSipp({
    ...secondHome,
    scenario: file(calls),
    target: edgeAt(0),
    args: [...keys({ callee: user, domain: DOMAIN }), '-d', '300'],
  })
  return [caller, await callee.result]
}

describe('phones behind NATs that know different edges', () => {
  it.for([
    { by: 'the callee', port: 5060, user: 'user1', answers: 'answer-and-hang-up', calls: 'call-open' },
    { by: 'the caller', port: 5062, user: 'user2', answers: 'answer', calls: 'call-open-and-hang-up' },
  ])('talk, and $by hangs up', async ({ port, user, answers, calls }, context) => {
    if (cluster === undefined) return context.skip(whyNot())
    for (const result of await talk(port, user, answers, calls)) expectPlayed(result)
  })
})

describe('a phone that is gone, with its port closed', () => {
  it.for([
    { where: 'in the world', name: 'world', port: 7_100, user: 'user3' },
    { where: 'behind a NAT', name: 'home', port: 5_064, user: 'user4' },
  ] as const)('[RFC3261-18.4a] $where: its caller hears 480 at once', async ({ name, port, user }, context) => {
    if (cluster === undefined) return context.skip(whyNot())
    if (loadAddon().addon === undefined) return context.skip('without the native addon no ICMP error is heard of')
    const { [name]: phone, world } = places(port)
    await register(phone, user, 0)
    const since = performance.now()
    const caller = await runSipp({
      ...world,
      localPort: port + 1_000,
      scenario: file('call-open-unreached'),
      target: edgeAt(0),
      args: keys({ callee: user, domain: DOMAIN }),
    })
    expectPlayed(caller)
    expect(performance.now() - since).toBeLessThan(AT_ONCE_MS)
  })
})
