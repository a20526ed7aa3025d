// SPDX-License-Identifier: MIT
//
// What one revision of the resources gives to decisions: the index, the credentials and the answers that can be made
// beforehand. Replaced as a whole, so that a decision sees one revision from start to end.
import {
  type IndexOptions,
  indexResources,
  type ResourceIndex,
  type ResourceSet,
  type UserEntry,
} from '@tandem/resources'
import { type Done, done, type policy } from '@tandem/rpc'
import { UNPROVEN_EDITS } from './decide/identity.ts'
import { NOBODY, toResponse } from './decide/verdicts.ts'
import { type CredentialTable, indexCredentials } from './digest/credentials.ts'
import { AgentTable } from './fraud/agents.ts'
import { RuleIndex } from './fraud/rule-index.ts'
import type { PolicySettings } from './options.ts'

export interface PolicyState {
  readonly index: ResourceIndex
  readonly credentials: CredentialTable
  /** Some account has a price or a bound. */
  readonly metersAccounts: boolean
  /** Rules against fraud. */
  readonly fraud: RuleIndex
  readonly agents: AgentTable
  /**
   * The plan for a user as anybody without a name gets it, without accounting: the plain path allocates nothing. Not there
   * for users whose plan depends on where a request comes from.
   */
  readonly openPlans: ReadonlyMap<UserEntry, Done<policy.DecideResponse>>
}

function openPlans(index: ResourceIndex): Map<UserEntry, Done<policy.DecideResponse>> {
  const plans = new Map<UserEntry, Done<policy.DecideResponse>>()
  if (index.acl !== undefined) return plans
  for (const domain of index.domains.values()) {
    if (domain.sources !== undefined) continue
    const off = domain.identity === 'off'
    const additions = { edits: off ? [] : UNPROVEN_EDITS, accounting: false, sourceTrusted: off }
    for (const user of domain.users.values()) {
      if (!plans.has(user)) plans.set(user, done(toResponse(user.plan, NOBODY, additions)))
    }
  }
  return plans
}

export function createState(set: ResourceSet, options: IndexOptions & Pick<PolicySettings, 'fraud'>): PolicyState {
  const index = indexResources(set, options)
  const fraud = new RuleIndex(set, index, options.fraud.dryRun)
  const metersAccounts = !fraud.isEmpty || [...index.accounts.values()].some(({ metered }) => metered)
  const credentials = indexCredentials(set, index)
  return { index, credentials, openPlans: openPlans(index), metersAccounts, fraud, agents: new AgentTable(fraud) }
}
