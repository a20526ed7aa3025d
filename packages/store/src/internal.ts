// SPDX-License-Identifier: MIT
// For the tests of this package's siblings: the contract that any store has to meet.
export { stemOf } from './binding-content.ts'
export { runStoreContract } from './contract/contract.ts'
export { CONTRACT_SETTINGS, type MakeStore, type StoreUnderTest } from './contract/world.ts'
