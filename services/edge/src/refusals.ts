// SPDX-License-Identifier: MIT
//
// What an edge refuses by itself, with the status that it answers and what to do about it. The reason is the same in a line of the log, at
// /metrics (tandem_edge_refused_requests_total) and in docs/reference/errors.md. What policy and location refuse has codes of theirs.
import { EDGE_COUNT_HELP } from './counts.ts'
import { type RefusalCount, reasonOf } from './log/call-log.ts'

export interface EdgeRefusal {
  /** As in the log and at /metrics. */
  readonly reason: string
  /** Statuses that it may be. */
  readonly statuses: readonly number[]
  readonly meaning: string
  /** What to do. */
  readonly todo: string
}

type Row = Pick<EdgeRefusal, 'statuses' | 'todo'>
const row = (statuses: readonly number[], todo: string): Row => ({ statuses, todo })

/** Complete by its type. */
const ROWS: Readonly<Record<RefusalCount, Row>> = {
  refusedUnreadable: row(
    [400, 505, 513],
    'Mend the sender: the reason phrase and `tandem_sip_parse_errors_total` say what is wrong.',
  ),
  refusedForgedToken: row([403], 'See whether all edges have the same key ring; else somebody tries tokens.'),
  refusedNoDialog: row([481], 'Nothing where a call is long over; else the sender loses the Route set.'),
  refusedMaxForwards: row([483], 'Look for a loop behind or before the cluster: `tandem trace`.'),
  refusedLoop: row([482], 'Look where the request is sent back from: a trunk or a contact that leads to the cluster.'),
  refusedExtension: row([420], 'Let the sender do without what Unsupported names in Proxy-Require or Require.'),
  refusedScheme: row([416], 'Dial a sip, sips or tel URI.'),
  refusedRoute: row([403], 'Correct the outbound proxy of the phone, or add the Domain that its Route names.'),
  refusedOverload: row(
    [503],
    'See whether policy and location keep up; more nodes or edges. Callers come back by Retry-After.',
  ),
  refusedAdmission: row([503], 'More edges, or fewer calls: docs/overload.md. Callers come back by Retry-After.'),
  refusedBanned: row([403], '`tandem bans`; `tandem bans lift` ends one.'),
  refusedRate: row([503], 'Raise `edge.limits` where the source is a trunk or a NAT with many phones.'),
  refusedDraining: row([503], 'Nothing: the edge is about to stop; callers go to another one.'),
  refusedBreadth: row([440], 'Fork to fewer contacts, or raise Max-Breadth at the sender.'),
}

export const EDGE_REFUSALS: readonly EdgeRefusal[] = (Object.entries(ROWS) as [RefusalCount, Row][]).map(
  ([count, { statuses, todo }]) => ({ reason: reasonOf(count), statuses, meaning: EDGE_COUNT_HELP[count], todo }),
)
