// SPDX-License-Identifier: MIT
export type { Account, Refusal as AccountRefusal } from './account.ts'
export type { AccountEntry, RatePlanEntry } from './account-entry.ts'
export type { SourceAcl, SourceMatch, TrunkEntry } from './acl.ts'
export { type AddressList, addressList } from './addresses.ts'
export { BEARER_ALGORITHMS, type Bearer, type BearerAlgorithm } from './bearer.ts'
export { type Destination, type DestinationKey, destination } from './destination.ts'
export { diffResources, type ResourceDiff } from './diff.ts'
export { challengeOrder, type DigestAlgorithm, type Domain } from './domain.ts'
export type { DomainEntry, DomainSettings, IndexOptions, Queue } from './domain-entry.ts'
export { API_VERSION } from './envelope.ts'
export {
  describeProblem,
  type Origin,
  PROBLEM,
  PROBLEM_TODO,
  type ProblemCode,
  type ResourceProblem,
} from './errors.ts'
export type { CallFlow } from './flow/call-flow.ts'
export type { Forwarding } from './flow/forwarding.ts'
export { FRAUD_ACTIONS, type FraudAction, type FraudLevelSpec } from './fraud-level.ts'
export {
  type FraudMeasure,
  type FraudMeasures,
  type FraudRule,
  type FraudScope,
  type FraudSelection,
  MAX_DISTINCT,
} from './fraud-rule.ts'
export { type Ha1, ha1Of, hashPasswords, realmsOf } from './ha1.ts'
export type { HuntGroup } from './hunt-group.ts'
export { type KeySet, type KeySetFile, type KeySetFiles, type PublicKey, parseKeySet, readKeySet } from './key-sets.ts'
export { type JsonSchema, kindSchema, schemaOfAll } from './known-keys.ts'
export type { LayOutChanges } from './lay-out/homes.ts'
export { indexResources, type LayOutBase, layOut } from './lay-out/lay-out.ts'
export { atOnce, eachOf, inTurns, type Sliced } from './lay-out/slices.ts'
export {
  type LoadOptions,
  type LoadResult,
  loadResources,
  type NamedContent,
  type ResourceSet,
  type ResourceSource,
  readNamed,
} from './load.ts'
export { nearestOf } from './nearest.ts'
export { countryOfNumber } from './number-list/calling-codes.ts'
export type { NumberTables } from './number-list/load-lists.ts'
export type { NumberList } from './number-list/number-list.ts'
export { type NumberNote, NumberTable } from './number-list/number-table.ts'
export { parseDocument } from './parse-document.ts'
export { canonicalNumber, dialledNumber, type PhoneNumber, parsePhoneNumber } from './phone-number.ts'
export { leadsAway, type PlanRequest, plan, planInstance, planNumber, planRelay, type RelayRequest } from './plan.ts'
export {
  type Forking,
  PLAIN_MODE,
  type PlanCondition,
  type PlanEdit,
  type PlanExit,
  type PlanReason,
  type PlanStep,
  type PlanTarget,
  type PlanTrunkLeg,
  type PlanVerdict,
} from './plan-verdict.ts'
export {
  type GroupState,
  MAX_DESTINATIONS,
  NO_PLAN_FACTS,
  type PlanAt,
  type PlanFacts,
  planned,
} from './planner/plan-at.ts'
export { findByName, planToNumber, resolveDestination, verdictFrom } from './planner/resolve-destination.ts'
export {
  billedMs,
  firstQuantum,
  formatAmount,
  isFree,
  MAX_AMOUNT,
  MAX_PRICE,
  MICROS,
  paidMs,
  paidMsAtAll,
  parseAmount,
  price,
  priceOfAll,
  type Rate,
} from './rating/price.ts'
export { type LineProblem, parseRateCsv, type RateCsv } from './rating/rate-csv.ts'
export type { RatePlan } from './rating/rate-plan.ts'
export { type FoundRate, type RateRow, RateTable, type RateTerms } from './rating/rate-table.ts'
export type { Redirect } from './redirect.ts'
export { KINDS, type Kind, type Resource, resourceKey, resourceSchemas } from './resource.ts'
export {
  domainOfNumber,
  findDomain,
  findNumber,
  findUser,
  isOurs,
  type ResourceIndex,
} from './resource-index.ts'
export { revisionOf } from './revision.ts'
export type { BlockList } from './routing/block-list.ts'
export type { Blocked, BlockQuestion } from './routing/block-rules.ts'
export { networkNumber } from './routing/dialling.ts'
export type { HeaderPolicy } from './routing/header-policy.ts'
export type { NumberEntry, RoutingTables } from './routing/lay-out-routing.ts'
export type { PhoneNumberResource } from './routing/number.ts'
export { readNumber } from './routing/number-format.ts'
export type { NumberPlanResource } from './routing/number-plan.ts'
export type { Route } from './routing/route.ts'
export {
  type EmergencyCall,
  findEmergency,
  findNumberEntry,
  ownsNumber,
  routeEmergency,
  routeNumber,
  shownNumber,
} from './routing/route-number.ts'
export {
  NO_FACTS,
  type OutCall,
  type OutCaller,
  type Refused as RouteRefusal,
  type Routed,
  type RoutingFacts,
  type TrunkFacts,
} from './routing/routed.ts'
export { type OutTrunk, trunkHostKey } from './routing/trunk-entry.ts'
export type { TrunkGroup } from './routing/trunk-group.ts'
export { SCANNER_PATTERNS } from './scanners.ts'
export type { HolidayCalendar } from './schedule/holiday-calendar.ts'
export { type ICalendarDays, parseICalendar } from './schedule/icalendar.ts'
export type { Schedule } from './schedule/schedule.ts'
export { ScheduleClock } from './schedule/schedule-clock.ts'
export { Secret } from './secret.ts'
export type { SecretTable } from './secrets.ts'
export { type StaticBinding, staticBindings } from './static-bindings.ts'
export { type Changes, type CheckOptions, checkChanges, type HeldNames, type Holdings } from './stored/check-changes.ts'
export { yamlOf } from './stored/export-yaml.ts'
export { type FieldChange, fieldChanges } from './stored/field-changes.ts'
export { type Held, heldOf, textOfHeld } from './stored/held.ts'
export { MASK } from './stored/masking.ts'
export {
  type Proposal,
  type ProposalOptions,
  propose,
  proposeDocuments,
} from './stored/proposal.ts'
export { SecretBox } from './stored/secret-box.ts'
export type { SourceText } from './stored/source-text.ts'
export { subscriberWithContacts } from './stored/subscriber-of-text.ts'
export type { StrangerRules } from './strangers.ts'
export { loginOf, type Subscriber } from './subscriber.ts'
export {
  type ImportedLine,
  type ImportedSubscriber,
  type ImportOptions,
  MAX_IMPORTED,
  parseSubscribers,
  readSubscribers,
  type SubscriberImport,
  subscriberDocument,
} from './subscriber-csv.ts'
export type { Trunk } from './trunk.ts'
export type { TrunkSecrets, TrunkSecretTable } from './trunk-secrets.ts'
export type { UserEntry } from './user-entry.ts'
export { type Place, placeProblems, type SourceDocument, YamlSource } from './yaml-source.ts'
