// SPDX-License-Identifier: MIT
//
// For the tests of sibling packages: the contract of a caller, to be run on further bindings.
export { type MakeBinding, runCallerContract } from './caller-contract.ts'
export {
  type BindingSetup,
  bindingOf,
  counter,
  deferred,
  located,
  locateRequest,
  plainHandlers,
  type RemoteTestBinding,
  type TestBinding,
  turn,
  whenReady,
} from './contract-kit.ts'
export { type MakeRemoteBinding, runRemoteContract } from './remote-contract.ts'
