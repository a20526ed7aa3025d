// SPDX-License-Identifier: MIT
//
// For `doctor`: of each account that has a price, whether its balance is the sum of its ledger and what is held the sum of its holds.
// Asks a running cluster; without one there is nothing to ask.
import { loadResources } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import { type Config, policyConfig } from '@tandem/service-kit'
import type { Finding } from './judge-redis.ts'
import { callPolicy } from './targets.ts'

/** Accounts that are looked at; of more, these are the first. */
const MAX_ACCOUNTS = 1_000

async function ratedAccounts(config: Config): Promise<string[]> {
  const { resources, baseDir } = policyConfig(config)
  const sources = [...resources.files, ...resources.documents]
  const loaded = await loadResources(sources, { baseDir, env: process.env, withoutSecrets: true })
  if (!loaded.ok) return []
  return loaded.set.resources.flatMap((resource) =>
    resource.kind === 'Account' && resource.spec.ratePlan !== undefined ? [resource.metadata.name] : [],
  )
}

export function judgeLedgers(states: readonly policy.GetAccountResponse[], total: number): Finding {
  const wrong = states.filter((state) => state.balance !== state.ledgerSum || state.held !== state.holdsSum)
  const of = total > states.length ? `the first ${states.length} of ${total}` : `${total}`
  if (wrong.length === 0)
    return { check: 'ledgers', state: 'ok', detail: `${of} balances are the sums of their ledgers` }
  const list = wrong.slice(0, 5).map(({ account, balance, ledgerSum, held, holdsSum }) => {
    return `${account} (balance ${balance}, ledger ${ledgerSum}; held ${held}, holds ${holdsSum} micro-units)`
  })
  return { check: 'ledgers', state: 'fail', detail: `${wrong.length} of ${of} do not add up: ${list.join(', ')}` }
}

/** undefined: no account has a price. */
export async function checkLedgers(config: Config): Promise<Finding | undefined> {
  const names = await ratedAccounts(config)
  if (names.length === 0) return undefined
  const states: policy.GetAccountResponse[] = []
  try {
    for (const account of names.slice(0, MAX_ACCOUNTS)) {
      states.push(await callPolicy(config, 'getAccount', { account, ledger: 0 }))
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { check: 'ledgers', state: 'warn', detail: `not checked: ${reason}` }
  }
  return judgeLedgers(states, names.length)
}
