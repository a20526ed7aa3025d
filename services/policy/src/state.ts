// SPDX-License-Identifier: MIT
//
// What one revision of the resources gives to decisions: the index, the credentials and the answers that can be made
// beforehand. Replaced as a whole, so that a decision sees one revision from start to end.
import {
  atOnce,
  type IndexOptions,
  type LayOutChanges,
  layOut,
  type ResourceIndex,
  type ResourceSet,
  type Sliced,
  type UserEntry,
} from '@tandem/resources'
import { type Done, done, type policy } from '@tandem/rpc'
import { UNPROVEN_EDITS } from './decide/identity.ts'
import { NOBODY, toResponse } from './decide/verdicts.ts'
import { type CredentialTable, layOutCredentials } from './digest/credentials.ts'
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
  readonly openPlans: OpenPlans
}

/** A state, and what is different in the revision after it. */
export interface StateBase {
  readonly state: PolicyState
  readonly changes: LayOutChanges
}

/**
 * The plan for a user as anybody without a name gets it, without accounting, made when it is wanted first: from then on the plain path
 * allocates nothing. None for users whose plan depends on where a request comes from.
 */
export class OpenPlans {
  readonly #made = new Map<UserEntry, Done<policy.DecideResponse>>()
  readonly #isOff: boolean

  constructor({ acl }: ResourceIndex) {
    this.#isOff = acl !== undefined
  }

  get(user: UserEntry): Done<policy.DecideResponse> | undefined {
    const known = this.#made.get(user)
    if (known !== undefined || this.#isOff || user.domain.sources !== undefined || user.plan.later !== undefined)
      return known
    const off = user.domain.identity === 'off'
    const additions = { edits: off ? [] : UNPROVEN_EDITS, accounting: false, sourceTrusted: off }
    const made = done(toResponse(user.plan, NOBODY, additions))
    this.#made.set(user, made)
    return made
  }
}

export type StateOptions = IndexOptions & Pick<PolicySettings, 'fraud'>

/** Rules name trunks, and subscribers by labels of their own and of accounts. */
function keepsRules({ state, changes }: StateBase): boolean {
  const { kinds } = changes
  if (kinds.has('FraudRule') || kinds.has('Trunk')) return false
  return state.fraud.isEmpty || !(['Subscriber', 'Account', 'Domain'] as const).some((kind) => kinds.has(kind))
}

/** In slices. @param from the state of an earlier revision by the same options: what is the same is taken over */
export function* buildState(set: ResourceSet, options: StateOptions, from?: StateBase): Sliced<PolicyState> {
  const index = yield* layOut(set, options, from && { index: from.state.index, changes: from.changes })
  const kept = from !== undefined && keepsRules(from) ? from.state : undefined
  const fraud = kept?.fraud ?? new RuleIndex(set, index, options.fraud.dryRun)
  yield
  const metersAccounts = !fraud.isEmpty || [...index.accounts.values()].some(({ metered }) => metered)
  const base = from?.changes.kinds.has('Domain') === false ? from : undefined
  const table = base && { table: base.state.credentials, changes: base.changes }
  const credentials = yield* layOutCredentials(set, index, table)
  const agents = kept?.agents ?? new AgentTable(fraud)
  return { index, credentials, openPlans: new OpenPlans(index), metersAccounts, fraud, agents }
}

export const createState = (set: ResourceSet, options: StateOptions): PolicyState => atOnce(buildState(set, options))
