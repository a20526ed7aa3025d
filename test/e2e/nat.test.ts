// SPDX-License-Identifier: MIT
// A phone behind the kernel's own NAT: it registers, is called long after the router would have forgotten it, and hangs up from inside;
// and without keep-alives it is lost. SIPp plays both phones. Not tested here: what each kind of NAT does (test/nat), real phones.
import { runSipp, type SippResult, sippAvailable, startSipp } from '@tandem/test-kit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Cluster } from './support/cluster.ts'
import { createNatNetwork, HOME_ADDRESS, type NatNetwork, WORLD_ADDRESS } from './support/nat-network.ts'
import { startOpenCluster } from './support/open-cluster.ts'

const sipp = sippAvailable()
const DOMAIN = 'nat.test'
const PHONE_PORT = 5060
const CALLER_PORT = 7000
const UDP_TIMEOUT_S = 3
/** More than twice what the router remembers. */
const SILENCE_MS = 8_000

let network: NatNetwork | string
let cluster: Cluster | undefined

beforeEach((context) => {
  if (!sipp.available) return context.skip(sipp.reason)
  network = createNatNetwork(UDP_TIMEOUT_S)
  if (typeof network === 'string') context.skip(network)
})
afterEach(async () => {
  await cluster?.stop()
  cluster = undefined
  if (typeof network !== 'string') network?.remove()
})

const file = (name: string) => ({ file: `${import.meta.dirname}/sipp/${name}.xml` })
const keys = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).flatMap(([name, value]) => ['-key', name, value])
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function expectPlayed({ exitCode, errors, messages, output }: SippResult): void {
  expect(exitCode, `${errors}\n${output.slice(-600)}\n${messages.slice(-6_000)}`).toBe(0)
}

/** A cluster in the world; the phone at home has registered, and then waits for a call. */
async function open(method: string) {
  const { world, home } = network as NatNetwork
  const natPing = { method, intervalMs: 1_000 }
  cluster = await startOpenCluster(
    { [DOMAIN]: {} },
    { edge: { count: 1, natPing }, prefix: world, bind: WORLD_ADDRESS },
  )
  const port = cluster.sipPort(0)
  const phone = { localAddress: HOME_ADDRESS, localPort: PHONE_PORT, prefix: home }
  const contact = `<sip:user1@${HOME_ADDRESS}:${PHONE_PORT}>`
  const registered = await runSipp({
    ...phone,
    scenario: file('register-open'),
    target: `${WORLD_ADDRESS}:${port}`,
    args: keys({ user: 'user1', domain: DOMAIN, contact }),
  })
  expectPlayed(registered)
  const callee = await startSipp({
    ...phone,
    scenario: file('answer-and-hang-up'),
    args: [...keys({ callee: 'user1' }), '-d', '300'],
  })
  await pause(SILENCE_MS)
  return { callee, port, world }
}

it('is called after the router would have forgotten it, and hangs up', async () => {
  const { callee, port, world } = await open('crlf')
  const caller = await runSipp({
    scenario: file('call-open'),
    target: `${WORLD_ADDRESS}:${port}`,
    localAddress: WORLD_ADDRESS,
    localPort: CALLER_PORT,
    prefix: world,
    args: keys({ callee: 'user1', domain: DOMAIN }),
  })
  expectPlayed(caller)
  expectPlayed(await callee.result)
  expect(caller.messages).toContain(`Contact: <sip:${HOME_ADDRESS}`)
})

it('is not reached without keep-alives: the router has forgotten it', async () => {
  const { callee, port, world } = await open('off')
  const caller = await runSipp({
    scenario: file('call-open'),
    target: `${WORLD_ADDRESS}:${port}`,
    localAddress: WORLD_ADDRESS,
    localPort: CALLER_PORT,
    prefix: world,
    timeoutMs: 4_000,
    args: keys({ callee: 'user1', domain: DOMAIN }),
  })
  expect(caller.messages).not.toContain('SIP/2.0 180')
  const { messages } = await callee.stop(0)
  expect(messages).not.toContain('INVITE')
})
