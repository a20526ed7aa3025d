// SPDX-License-Identifier: MIT
// The contract of a store: one suite, run on memory, on a Redis server and on a Redis Cluster.
// Not tested here: durability and failures of the connection (redis/*.test.ts), bounds of memory (memory/*.test.ts).

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accountContract } from './accounts.ts'
import { banContract } from './bans.ts'
import { bindingContract } from './bindings.ts'
import { callWorkContract } from './call-work.ts'
import { chargeContract } from './charges.ts'
import { directoryContract } from './directory.ts'
import { followContract } from './following.ts'
import { fraudContract } from './fraud.ts'
import { fraudEventContract } from './fraud-events.ts'
import { groupContract } from './groups.ts'
import { lateFactContract, longOverContract } from './late-facts.ts'
import { ledgerContract } from './ledgers.ts'
import { membershipContract } from './membership.ts'
import { callContract, mintContract } from './policy.ts'
import { recordContract } from './records.ts'
import { resourceContract } from './resources.ts'
import { trunkContract } from './trunks.ts'
import { watchContract } from './watches.ts'
import { CONTRACT_SETTINGS, type MakeStore, World } from './world.ts'

export function runStoreContract(name: string, makeStore: MakeStore): void {
  describe(`store contract: ${name}`, () => {
    let world: World | undefined
    const at = () => {
      if (world === undefined) throw new Error('the store did not start')
      return world
    }
    beforeAll(async () => {
      world = new World(await makeStore(CONTRACT_SETTINGS))
    }, 60_000)
    afterAll(() => world?.close())

    it('MUST be ready and count', () => {
      expect(at().store.status.state).toBe('ready')
      expect(Object.values(at().store.counts()).every(Number.isSafeInteger)).toBe(true)
    })
    describe('bindings', () => bindingContract(at))
    describe('following', () => followContract(at))
    describe('watches', () => watchContract(at))
    describe('directory', () => directoryContract(at))
    describe('membership', () => membershipContract(at))
    describe('references and nonces', () => mintContract(at))
    describe('calls on record', () => callContract(at))
    describe('charged calls', () => chargeContract(at))
    describe('accounts', () => accountContract(at))
    describe('the copy of ledgers', () => ledgerContract(at))
    describe('rules against fraud', () => fraudContract(at))
    describe('fraud events', () => fraudEventContract(at))
    describe('what is due at calls', () => callWorkContract(at))
    describe('trunks', () => trunkContract(at))
    describe('hunt groups', () => groupContract(at))
    describe('failures and bans', () => banContract(at))
    describe('resources', () => resourceContract(at))
    describe('finished records', () => recordContract(at))
    describe('late facts', () => lateFactContract(at))
  })
  describe(`store contract, of calls long over: ${name}`, () => {
    let world: World | undefined
    beforeAll(async () => {
      world = new World(await makeStore({ ...CONTRACT_SETTINGS, finishedKeepMs: 40 }))
    }, 60_000)
    afterAll(() => world?.close())
    longOverContract(() => {
      if (world === undefined) throw new Error('the store did not start')
      return world
    })
  })
}
