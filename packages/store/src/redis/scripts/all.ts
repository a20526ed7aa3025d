// SPDX-License-Identifier: MIT
// Every script there is: what is loaded when a server is met.

import * as accounts from './accounts.ts'
import * as bans from './bans.ts'
import * as bindings from './bindings.ts'
import * as callWork from './call-work.ts'
import * as calls from './calls.ts'
import * as charges from './charges.ts'
import * as directory from './directory.ts'
import * as follow from './follow.ts'
import * as fraud from './fraud.ts'
import * as fraudEvents from './fraud-events.ts'
import * as groups from './groups.ts'
import * as mark from './mark.ts'
import * as membership from './membership.ts'
import * as mints from './mints.ts'
import * as plain from './plain.ts'
import * as records from './records.ts'
import * as resources from './resources.ts'
import type { Script } from './script.ts'
import * as trunks from './trunks.ts'
import * as watches from './watches.ts'

const families = [
  accounts,
  bans,
  bindings,
  calls,
  callWork,
  charges,
  directory,
  follow,
  fraud,
  fraudEvents,
  groups,
  mark,
  membership,
  mints,
  plain,
  records,
  resources,
  trunks,
  watches,
]

export const SCRIPTS: readonly Script[] = families.flatMap((family) =>
  Object.values(family).filter((exported): exported is Script => typeof exported === 'object'),
)
