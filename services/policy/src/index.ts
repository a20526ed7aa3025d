// SPDX-License-Identifier: MIT
//
// @tandem/policy: who may call, whither, and the record of every call (docs/policy.md).
export type { PolicyCounts } from './counts.ts'
export { POLICY_ERRORS, type PolicyError, type PolicyErrorCode } from './errors.ts'
export {
  POLICY_TUNING,
  type PolicyService,
  type PolicyServiceOptions,
  type PolicySettings,
  type PolicyTuning,
} from './options.ts'
export { readRevision } from './resources/read-store.ts'
export { createPolicyService } from './service.ts'
