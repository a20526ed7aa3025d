// SPDX-License-Identifier: MIT
//
// The resources that exist, as one union by `kind`, and what identifies one of them.
import type { z } from 'zod'
import { type Account, accountSchema } from './account.ts'
import { type Domain, domainSchema } from './domain.ts'
import { type CallFlow, callFlowSchema } from './flow/call-flow.ts'
import { type FraudRule, fraudRuleSchema } from './fraud-rule.ts'
import { type HuntGroup, huntGroupSchema } from './hunt-group.ts'
import { type NumberList, numberListSchema } from './number-list/number-list.ts'
import { type RatePlan, ratePlanSchema } from './rating/rate-plan.ts'
import { type Redirect, redirectSchema } from './redirect.ts'
import { type BlockList, blockListSchema } from './routing/block-list.ts'
import { type HeaderPolicy, headerPolicySchema } from './routing/header-policy.ts'
import { numberSchema, type PhoneNumberResource } from './routing/number.ts'
import { type NumberPlanResource, numberPlanSchema } from './routing/number-plan.ts'
import { type Route, routeSchema } from './routing/route.ts'
import { type TrunkGroup, trunkGroupSchema } from './routing/trunk-group.ts'
import { type HolidayCalendar, holidayCalendarSchema } from './schedule/holiday-calendar.ts'
import { type Schedule, scheduleSchema } from './schedule/schedule.ts'
import { type Subscriber, subscriberSchema } from './subscriber.ts'
import { type Trunk, trunkSchema } from './trunk.ts'

export type Resource =
  | Domain
  | Subscriber
  | Account
  | RatePlan
  | HuntGroup
  | Redirect
  | Trunk
  | TrunkGroup
  | Route
  | PhoneNumberResource
  | NumberPlanResource
  | HeaderPolicy
  | BlockList
  | FraudRule
  | NumberList
  | Schedule
  | HolidayCalendar
  | CallFlow
export type Kind = Resource['kind']

export const resourceSchemas: { readonly [K in Kind]: z.ZodType<Extract<Resource, { kind: K }>> } = {
  Domain: domainSchema,
  Subscriber: subscriberSchema,
  Account: accountSchema,
  RatePlan: ratePlanSchema,
  HuntGroup: huntGroupSchema,
  Redirect: redirectSchema,
  Trunk: trunkSchema,
  TrunkGroup: trunkGroupSchema,
  Route: routeSchema,
  Number: numberSchema,
  NumberPlan: numberPlanSchema,
  HeaderPolicy: headerPolicySchema,
  BlockList: blockListSchema,
  FraudRule: fraudRuleSchema,
  NumberList: numberListSchema,
  Schedule: scheduleSchema,
  HolidayCalendar: holidayCalendarSchema,
  CallFlow: callFlowSchema,
}

export const KINDS = Object.keys(resourceSchemas) as readonly Kind[]

/** Unique among all resources: `Kind/name`, with the domain where the kind has one: `Subscriber/example.test/alice`. */
export function resourceKey(resource: Resource): string {
  const { kind, metadata } = resource
  return 'domain' in metadata ? `${kind}/${metadata.domain}/${metadata.name}` : `${kind}/${metadata.name}`
}
