// SPDX-License-Identifier: MIT
//
// What a FraudRule names besides itself.
import type { FraudRule } from './fraud-rule.ts'

export interface NamedResource {
  /** `Kind/name` */
  readonly key: string
  readonly path: string
}

function* each(kind: string, names: readonly string[] | undefined, path: string): Generator<NamedResource> {
  for (const [i, name] of (names ?? []).entries()) yield { key: `${kind}/${name}`, path: `${path}[${i}]` }
}

export function* fraudReferences({ spec }: FraudRule): Generator<NamedResource> {
  const { select, except, measures } = spec
  yield* each('Account', select.accounts, 'spec.select.accounts')
  yield* each('Domain', select.domains, 'spec.select.domains')
  yield* each('Trunk', select.trunks, 'spec.select.trunks')
  yield* each('NumberList', select.lists, 'spec.select.lists')
  if (select.hours !== undefined) {
    yield { key: `Schedule/${select.hours.schedule}`, path: 'spec.select.hours.schedule' }
  }
  yield* each('Account', except.accounts, 'spec.except.accounts')
  yield* each('NumberList', except.lists, 'spec.except.lists')
  yield* each('NumberList', measures.destinationList?.lists, 'spec.measures.destinationList.lists')
  const { offHours } = measures
  if (offHours !== undefined) yield { key: `Schedule/${offHours.schedule}`, path: 'spec.measures.offHours.schedule' }
}
