// SPDX-License-Identifier: MIT
//
// What a call record holds: the one table from which NDJSON lines, CSV columns, PostgreSQL columns, the filters of
// `tandem cdr` and the table in docs/records.md come. A new field goes to where its subject is; names and kinds of those
// that are here do not change. Pure.
import type { records } from '@tandem/rpc'

/**
 * What a value is in JSON: `text`, `texts`, `attempts` and `forwards` as they are, `integer` a number, `time` ISO 8601 in UTC with
 * milliseconds, `decimal` digits with six places in a string, so that no reader rounds. `integer`, `time` and `decimal` may be null.
 */
export type FieldKind = 'text' | 'texts' | 'integer' | 'time' | 'decimal' | 'attempts' | 'forwards'

/** One target that was tried. Times are milliseconds, null where they are not known. */
export interface LineAttempt {
  readonly target: string
  readonly trunk: string
  readonly status: number
  readonly provisional_status: number
  /** After the call's set-up. */
  readonly start_ms: number | null
  /** Sent until it rang. */
  readonly pdd_ms: number | null
  /** After the call's set-up. */
  readonly end_ms: number | null
}

/** What an account paid because it sent the call on by a trunk. */
export interface LineForward {
  readonly account: string
  /** As of the call; null where its calls have no price. */
  readonly price: string | null
  readonly currency: string
  readonly billsec: number
  readonly unbilled_ms: number
  readonly rate_plan: string
  readonly rate_prefix: string
  readonly rate_revision: string
  readonly rate: string
}

interface Values {
  readonly text: string
  readonly texts: readonly string[]
  readonly integer: number | null
  readonly time: string | null
  readonly decimal: string | null
  readonly attempts: readonly LineAttempt[]
  readonly forwards: readonly LineForward[]
}

export type FieldValue = Values[FieldKind]

export interface RecordField<N extends string = string, K extends FieldKind = FieldKind> {
  /** In JSON, CSV and SQL. */
  readonly name: N
  readonly kind: K
  /** Never null. */
  readonly isRequired: boolean
  readonly doc: string
  /** @param id stream id of the feed, `<shard>/<id>` */
  readonly of: (record: records.CallRecord, id: string) => Values[K]
}

/** Beyond it a Date is invalid (ECMA-262, time value range). */
const MAX_DATE_MS = 8_640_000_000_000_000n

function isoTime(unixMs: bigint): string | null {
  return unixMs > 0n && unixMs <= MAX_DATE_MS ? new Date(Number(unixMs)).toISOString() : null
}

/** 12500n millionths → `0.012500`: always six decimals, so that no reader rounds. */
function unitsOf(micros: bigint): string {
  const size = micros < 0n ? -micros : micros
  const digits = size.toString().padStart(7, '0')
  return `${micros < 0n ? '-' : ''}${digits.slice(0, -6)}.${digits.slice(-6)}`
}

/** Null where one of the two did not happen. */
function between(fromMs: bigint, toMs: bigint): number | null {
  return fromMs > 0n && toMs > 0n ? Math.max(0, Number(toMs - fromMs)) : null
}

function attemptOf({ target, trunk, status, provisionalStatus, ...times }: records.Attempt): LineAttempt {
  return {
    target,
    trunk: trunk ?? '',
    status,
    provisional_status: provisionalStatus,
    start_ms: times.startMs ?? null,
    pdd_ms: times.pddMs ?? null,
    end_ms: times.endMs ?? null,
  }
}

function forwardOf(one: records.ForwardCharge): LineForward {
  const { account, currency, ratePlan, ratePrefix, rate, rateRevision } = one
  return {
    account,
    price: ratePlan === '' ? null : unitsOf(one.priceMicros),
    currency,
    billsec: Math.ceil(Number(one.billedMs) / 1000),
    unbilled_ms: Number(one.unbilledMs),
    rate_plan: ratePlan,
    rate_prefix: ratePrefix,
    rate_revision: rateRevision,
    rate,
  }
}

/** Seconds that were billed, where the call was charged; else the talk in whole seconds, rounded down. */
function billedSeconds({ ratePlan, billedMs, durationMs }: records.CallRecord): number {
  return ratePlan === '' ? Math.floor(Number(durationMs) / 1000) : Math.ceil(Number(billedMs) / 1000)
}

type Of<K extends FieldKind> = RecordField<string, K>['of']

const make =
  <K extends FieldKind>(kind: K, isRequired: boolean) =>
  <N extends string>(name: N, of: Of<K>, doc: string): RecordField<N, K> => ({ name, kind, isRequired, doc, of })

const text = make('text', true)
const texts = make('texts', true)
const integer = make('integer', true)
const maybe = make('integer', false)
const time = make('time', false)
const decimal = make('decimal', false)
const attempts = make('attempts', true)
const forwards = make('forwards', true)

/** In the order of a line: what identifies it comes first. */
export const RECORD_FIELDS = [
  text('id', (_, id) => id, 'Stream id of the feed, `<shard>/<id>`.'),
  text('cdr_id', (r) => r.cdrId, 'Unique. Of a call its reference; of a correction that, a dot and a number.'),
  text(
    'type',
    (r) => r.type || 'call',
    '`call`, or `correction`: the whole record anew, in the place of an earlier one.',
  ),
  text('corrects', (r) => r.corrects, 'Of a correction: `cdr_id` of the record that it corrects.'),
  text('correction', (r) => r.correction, 'Why: `late_end`, `late_answer`, `late_failure`.'),
  text(
    'state',
    (r) => r.state,
    '`complete`, `partial` (end without its answer, or never reported), `recovered` (nobody reported the end).',
  ),
  text('call_ref', (r) => r.callRef || r.cdrId, 'Reference of the call, the same in its record and its corrections.'),
  text('call_id', (r) => r.callId, 'Call-ID.'),
  text('from_tag', (r) => r.fromTag, "The caller's tag."),
  texts('to_tags', (r) => r.toTags, 'One To tag for each leg that was answered.'),
  text('tenant', (r) => r.facts?.tenant ?? '', "Domain of the call: the caller's, or the one that was called."),
  text('account', (r) => r.account, 'Account of the caller, who pays for his leg.'),
  text('identity', (r) => r.identity, 'Address-of-record of the caller, as far as it is proven.'),
  text(
    'auth_method',
    (r) => r.facts?.authMethod ?? '',
    'How it was proven: `none`, `digest-md5`, `digest-sha-256`, …, `ip`, `mtls`, `jwt`.',
  ),
  text('direction', (r) => r.facts?.direction ?? '', '`internal`, `inbound`, `outbound`, `transit`.'),
  text('from_uri', (r) => r.fromUri, 'URI of From.'),
  text('to_uri', (r) => r.toUri, 'URI of To.'),
  text('request_uri', (r) => r.requestUri, 'Request-URI as it came.'),
  text('dialled', (r) => r.facts?.dialled ?? '', 'Who was called, in canonical form: `user@host`, or a number.'),
  text('target', (r) => r.target, 'Request-URI of the branch that answered.'),
  text('callee', (r) => r.answerer?.aor ?? '', 'Address-of-record that answered; empty where it was none of ours.'),
  text('ingress_trunk', (r) => r.facts?.ingressTrunk ?? '', 'Trunk from which the call came.'),
  text('egress_trunk', (r) => r.answerer?.trunk ?? '', 'Trunk that answered.'),
  text('source_transport', (r) => r.sourceTransport, 'Where the INVITE came from: `udp`, `tcp`, `tls`, `ws`, `wss`.'),
  text('source_address', (r) => r.sourceAddress, 'Its address.'),
  integer('source_port', (r) => r.sourcePort, 'Its port.'),
  text('user_agent', (r) => r.userAgent, "The caller's User-Agent."),
  text('callee_transport', (r) => r.answerer?.transport ?? '', 'Where the side that answered was reached.'),
  text('callee_address', (r) => r.answerer?.address ?? '', 'Its address.'),
  integer('callee_port', (r) => r.answerer?.port ?? 0, 'Its port.'),
  text('callee_user_agent', (r) => r.answerer?.userAgent ?? '', 'User-Agent, or Server, of its answer.'),
  text(
    'media',
    (r) => r.media,
    '`audio`, `video`, `audio,video`, `message`, …: what the INVITE offered; empty where it offered nothing.',
  ),
  time('setup_time', (r) => isoTime(r.setupUnixMs), 'INVITE.'),
  time('ring_time', (r) => isoTime(r.ringUnixMs), 'First provisional response but 100.'),
  time('answer_time', (r) => isoTime(r.answeredUnixMs), 'First 2xx.'),
  time('end_time', (r) => isoTime(r.endedUnixMs), 'BYE, or the final failure.'),
  maybe('pdd_ms', (r) => between(r.setupUnixMs, r.ringUnixMs), 'Post-dial delay: set-up until it rang.'),
  integer('duration_ms', (r) => Number(r.durationMs), 'Answered to ended.'),
  integer(
    'billsec',
    billedSeconds,
    'Seconds that were billed; of a call that was not charged `duration_ms` in whole seconds, rounded down.',
  ),
  decimal(
    'price',
    (r) => (r.ratePlan === '' ? null : unitsOf(r.priceMicros)),
    'What was taken from the account; null where the call was not charged.',
  ),
  text('currency', (r) => r.currency, 'ISO 4217.'),
  text('rate_plan', (r) => r.ratePlan, 'By which rate.'),
  text('rate_prefix', (r) => r.ratePrefix, 'Prefix of the number by which the rate was found; `*` for any.'),
  text('rate_revision', (r) => r.rateRevision, 'Revision of the resources from which it was taken.'),
  text('rate', (r) => r.rate, 'The rate, for a person.'),
  decimal(
    'cost',
    (r) => (r.costCurrency ? unitsOf(r.costMicros ?? 0n) : null),
    'What the trunk that answered costs by its rate plan; null where it has no price.',
  ),
  text('cost_currency', (r) => r.costCurrency ?? '', 'ISO 4217.'),
  decimal(
    'margin',
    (r) => (r.marginMicros === undefined ? null : unitsOf(r.marginMicros)),
    'Price, with those of `forwards`, less cost; null where either is none or they are of two currencies.',
  ),
  integer('unbilled_ms', (r) => Number(r.unbilledMs), 'Talk beyond what the account had granted; not charged.'),
  integer('final_status', (r) => r.finalStatus, 'Final status of the INVITE.'),
  text(
    'outcome',
    (r) => r.outcome,
    '`answered`, `cancelled`, `rejected`, `redirected`, `unanswered`, `unreachable`, `error`.',
  ),
  text('ended_by', (r) => r.endedBy, '`caller`, `callee`, `system` (the cluster: [hang-up.md](hang-up.md)), or empty.'),
  text('reason', (r) => r.reason, 'Value of the Reason header of BYE, CANCEL or the failure; of a refusal its code.'),
  text('setup_edge', (r) => r.setupEdge, 'The edge that ran the set-up, the last one where several did.'),
  text('end_edge', (r) => r.endEdge, 'The edge that reported the end.'),
  texts('edges', (r) => r.edges, 'Every edge that reported something of the call.'),
  text('fraud_verdict', (r) => r.facts?.fraudVerdict ?? '', 'What the fraud rules said: [fraud.md](fraud.md).'),
  text(
    'trace_id',
    (r) => r.facts?.traceId ?? '',
    'W3C trace id, where calls are traced ([traces](operations/tracing.md)).',
  ),
  forwards(
    'forwards',
    (r) => r.forwards.map(forwardOf),
    'What other accounts paid because they sent the call on by a trunk: see below.',
  ),
  attempts('attempts', (r) => r.attempts.map(attemptOf), 'Targets tried, in order: see below.'),
] as const satisfies readonly RecordField[]

type Fields = (typeof RECORD_FIELDS)[number]
export type RecordFieldName = Fields['name']

/** One object of the file. */
export type RecordLine = {
  readonly [F in Fields as F['name']]: F['isRequired'] extends true ? NonNullable<Values[F['kind']]> : Values[F['kind']]
}
