// SPDX-License-Identifier: MIT
export type { Account } from './account.ts'
export { diffResources, type ResourceDiff } from './diff.ts'
export { challengeOrder, type DigestAlgorithm, type Domain } from './domain.ts'
export { API_VERSION } from './envelope.ts'
export { describeProblem, type Origin, PROBLEM, type ProblemCode, type ResourceProblem } from './errors.ts'
export type { HuntGroup } from './hunt-group.ts'
export { type LoadOptions, type LoadResult, loadResources, type ResourceSet, type ResourceSource } from './load.ts'
export { canonicalNumber, type PhoneNumber, parsePhoneNumber } from './phone-number.ts'
export { type PlanRequest, plan } from './plan.ts'
export type { PlanReason, PlanStep, PlanTarget, PlanVerdict } from './plan-verdict.ts'
export type { Redirect } from './redirect.ts'
export { KINDS, type Kind, type Resource, resourceKey, resourceSchemas } from './resource.ts'
export {
  type DomainEntry,
  findDomain,
  type IndexOptions,
  indexResources,
  type ResourceIndex,
  type UserEntry,
} from './resource-index.ts'
export { revisionOf } from './revision.ts'
export { Secret } from './secret.ts'
export type { SecretTable } from './secrets.ts'
export { type StaticBinding, staticBindings } from './static-bindings.ts'
export type { Subscriber } from './subscriber.ts'
export type { Trunk } from './trunk.ts'
