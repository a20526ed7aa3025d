// SPDX-License-Identifier: MIT
//
// What an edge shows of EdgeCounts: drops and refusals by reason, calls and CANCELs and registrations by what became of them, and one
// counter for each of the rest.
import { type LabelledField, type Metrics, snakeCase } from '@tandem/service-kit'
import { EDGE_COUNT_HELP, type EdgeCounts } from '../counts.ts'

type Field = keyof EdgeCounts

const FIELDS = Object.keys(EDGE_COUNT_HELP) as Field[]

/** `droppedAck` as the reason `ack`. */
function byReason(prefix: string): LabelledField<Field>[] {
  return FIELDS.filter((field) => field.startsWith(prefix)).map((field) => {
    const rest = field.slice(prefix.length)
    return [field, snakeCase(rest.charAt(0).toLowerCase() + rest.slice(1))]
  })
}

interface Group {
  readonly name: string
  readonly help: string
  readonly label: string
  readonly fields: readonly LabelledField<Field>[]
}

const GROUPS: readonly Group[] = [
  {
    name: 'tandem_edge_dropped_messages_total',
    help: 'Messages neither answered nor forwarded.',
    label: 'reason',
    fields: byReason('dropped'),
  },
  {
    name: 'tandem_edge_refused_requests_total',
    help: 'Requests that the edge refused by itself.',
    label: 'reason',
    fields: byReason('refused'),
  },
  {
    name: 'tandem_edge_calls_ended_total',
    help: 'Initial INVITEs by how they ended for their caller: a 2xx, or another final response.',
    label: 'result',
    fields: [
      ['callsAnswered', 'answered'],
      ['callsFailed', 'failed'],
    ],
  },
  {
    name: 'tandem_edge_cancels_total',
    help: 'CANCELs by when they came: before the caller had a response beyond 100, after it, or for nothing (481).',
    label: 'phase',
    fields: [
      ['cancelsEarly', 'before_1xx'],
      ['cancelsRinging', 'after_1xx'],
      ['cancelsUnmatched', 'unmatched'],
    ],
  },
  {
    name: 'tandem_edge_registrations_total',
    help: 'REGISTERs by how they ended; challenges left out.',
    label: 'result',
    fields: [
      ['registrations', 'accepted'],
      ['registrationsFailed', 'failed'],
    ],
  },
]

const GROUPED = new Set(GROUPS.flatMap(({ fields }) => fields.map(([field]) => field)))

export function registerOutcomeMetrics(metrics: Metrics, counts: EdgeCounts): void {
  for (const { name, help, label, fields } of GROUPS) {
    const reasons =
      label === 'reason' ? ` ${fields.map(([of, value]) => `${value}: ${EDGE_COUNT_HELP[of]}`).join(' ')}` : ''
    metrics.fieldsCounter(name, `${help}${reasons}`, [label], () => counts, fields)
  }
  const rest = Object.fromEntries(
    Object.entries(EDGE_COUNT_HELP).filter(([field]) => !GROUPED.has(field as Field)),
  ) as Partial<Record<Field, string>>
  metrics.counters('tandem_edge', counts, rest as Readonly<Record<Field, string>>)
}
