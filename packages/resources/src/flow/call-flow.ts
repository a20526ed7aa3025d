// SPDX-License-Identifier: MIT
//
// CallFlow: one user of a domain whose calls go where the time says: on holidays, within schedules, else. What is first and holds counts.
import { z } from 'zod'
import { destination } from '../destination.ts'
import { API_VERSION, domainMetadata, resourceName, userName } from '../envelope.ts'
import type { NamedResource } from '../fraud-references.ts'
import { destinationReferences } from '../planner/resolve-destination.ts'
import { timeZone } from '../schedule/weekly.ts'
import { overflow, overflowReferences } from './overflow.ts'

const way = { to: destination, overflow: overflow.optional() }

export const callFlowSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('CallFlow'),
  metadata: domainMetadata,
  spec: z.strictObject({
    /** User part that reaches it; `metadata.name` unless set. */
    username: userName.optional(),
    description: z.string().max(512).optional(),
    /** Name of the Account that pays for ways that leave by a trunk; unset: that of the domain, else the caller's. */
    account: resourceName.optional(),
    /** Before all schedules. */
    holiday: z
      .strictObject({
        /** Names of HolidayCalendars. */
        calendars: z.array(resourceName).min(1).max(32),
        /** In which days begin and end. */
        timeZone,
        ...way,
      })
      .optional(),
    /** The first whose Schedule holds. */
    branches: z
      .array(z.strictObject({ schedule: resourceName, ...way }))
      .max(32)
      .default([]),
    /** When nothing else holds. */
    default: z.strictObject(way),
  }),
})
export type CallFlow = z.infer<typeof callFlowSchema>

export function* callFlowReferences({ metadata: { domain }, spec }: CallFlow): Generator<NamedResource> {
  const { holiday, branches } = spec
  for (const [i, { schedule }] of branches.entries()) {
    yield { key: `Schedule/${schedule}`, path: `spec.branches[${i}].schedule` }
  }
  for (const [i, name] of (holiday?.calendars ?? []).entries()) {
    yield { key: `HolidayCalendar/${name}`, path: `spec.holiday.calendars[${i}]` }
  }
  const ways = [
    ...(holiday === undefined ? [] : [{ ...holiday, path: 'spec.holiday' }]),
    ...branches.map((one, i) => ({ ...one, path: `spec.branches[${i}]` })),
    { ...spec.default, path: 'spec.default' },
  ]
  for (const { to, overflow: on, path } of ways) {
    yield* destinationReferences(to, domain, `${path}.to`)
    yield* overflowReferences(on, domain, `${path}.overflow`)
  }
}
