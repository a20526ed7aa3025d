// SPDX-License-Identifier: MIT
//
// The dashboards, as deploy/grafana/dashboards/*.json holds them. test/metrics/ checks every query against the reference of metrics, and
// against a cluster that runs.
import { dashboard, graph, quantile, quantiles, query, rate, row, stat } from './panels.mjs'

const C = 'cluster=~"$cluster"'
const E = 'cluster=~"$cluster", edge=~"$edge"'
const T = 'cluster=~"$cluster", trunk=~"$trunk"'
const EDGES = [['edge', 'Edge', 'tandem_edge_calls_total']]
const TRUNKS = [['trunk', 'Trunk', 'tandem_policy_trunk_hosts']]

const BAD_IF_ANY = [
  ['green', null],
  ['red', 1],
]
const BAD_IF_NONE = [
  ['red', null],
  ['green', 1],
]
const ratio = (part, whole) => `${part} / ${whole}`
const busy = (selector) => `rate(tandem_process_event_loop_busy_seconds_total{${selector}}[$__rate_interval])`

const overview = dashboard('overview', 'overview', 'Whether calls work, how much there is, and where to look next.', [
  stat('Calls a second', 'cps', rate('tandem_edge_calls_total', C)),
  stat(
    'Answered',
    'percentunit',
    ratio(rate('tandem_edge_calls_ended_total', `${C}, result="answered"`), rate('tandem_edge_calls_ended_total', C)),
    { description: 'Of the calls that ended: phones that nobody picks up are among those that did not.' },
  ),
  stat('Being set up', 'short', `sum(tandem_edge_requests_in_progress{${C}})`),
  stat('Registered', 'short', `max(tandem_location_registered_aors{${C}})`, { description: 'Addresses-of-record.' }),
  stat('Edges', 'short', `max(tandem_location_edges{${C}})`, { steps: BAD_IF_NONE }),
  stat('Store', 'short', `min(tandem_store_ready{${C}})`, {
    steps: BAD_IF_NONE,
    description: '1: every location and policy node reaches it.',
  }),
  graph('Calls by how they ended', 'cps', [query(rate('tandem_edge_calls_ended_total', C, ['result']), '{{result}}')], {
    stack: true,
  }),
  graph('Set-up time that the cluster adds', 's', quantiles('tandem_call_set_up_seconds', C), {
    description: 'From an INVITE until its first branch leaves.',
  }),
  graph('Post-dial delay', 's', quantiles('tandem_call_post_dial_delay_seconds', C)),
  graph('Requests in by method', 'reqps', [
    query(rate('tandem_sip_requests_total', `${C}, direction="in"`, ['method']), '{{method}}'),
  ]),
  graph('Responses out by class', 'reqps', [
    query(rate('tandem_sip_responses_total', `${C}, direction="out"`, ['class']), '{{class}}'),
  ]),
  graph('Server errors out by code', 'reqps', [
    query(rate('tandem_sip_responses_total', `${C}, direction="out", class=~"5xx|6xx"`, ['code']), '{{code}}'),
  ]),
  graph('Refused by reason', 'reqps', [query(rate('tandem_edge_refused_requests_total', C, ['reason']), '{{reason}}')]),
  graph('Dropped by reason', 'reqps', [query(rate('tandem_edge_dropped_messages_total', C, ['reason']), '{{reason}}')]),
  graph('Decisions', 'reqps', [query(rate('tandem_policy_verdicts_total', C, ['verdict']), '{{verdict}}')]),
  graph('Event loops: busy', 'percentunit', [query(busy(C), '{{service}} {{edge}} {{instance}}')], {
    description: 'A process has one thread: above 0.8 it makes everybody wait.',
  }),
  graph('Memory', 'bytes', [query(`process_resident_memory_bytes{${C}}`, '{{service}} {{edge}} {{instance}}')]),
  graph('CPU', 'short', [
    query(`rate(process_cpu_seconds_total{${C}}[$__rate_interval])`, '{{service}} {{edge}} {{instance}}'),
  ]),
  graph('Records that wait', 'short', [query(`max by (sink) (tandem_policy_records_waiting{${C}})`, '{{sink}}')]),
  graph('Calls taken over from edges that are gone', 'ops', [
    query(rate('tandem_edge_adoptions_total', C), 'taken over'),
    query(rate('tandem_edge_adoptions_failed_total', C), 'could not be gone on with'),
  ]),
  graph('Bugs', 'ops', [
    query(rate('tandem_edge_dropped_messages_total', `${C}, reason="by_bug"`), 'edges'),
    query(rate('tandem_policy_bugs_total', C), 'policy'),
  ]),
])

const edge = dashboard(
  'edge',
  'edges',
  'SIP at the edges: messages, transactions, what is refused, what the services answer.',
  [
    row('Messages'),
    graph('By transport and direction', 'pps', [
      query(rate('tandem_transport_messages_total', E, ['transport', 'direction']), '{{transport}} {{direction}}'),
    ]),
    graph('Bytes', 'Bps', [
      query(rate('tandem_transport_bytes_total', E, ['transport', 'direction']), '{{transport}} {{direction}}'),
    ]),
    graph('Retransmissions', 'pps', [
      query(rate('tandem_sip_retransmissions_total', E, ['direction', 'kind']), '{{kind}}s {{direction}}'),
    ]),
    graph('Requests', 'reqps', [
      query(rate('tandem_sip_requests_total', E, ['direction', 'method']), '{{method}} {{direction}}'),
    ]),
    graph('Responses out by code', 'reqps', [
      query(rate('tandem_sip_responses_total', `${E}, direction="out"`, ['code']), '{{code}}'),
    ]),
    graph('Responses in by code', 'reqps', [
      query(rate('tandem_sip_responses_total', `${E}, direction="in"`, ['code']), '{{code}}'),
    ]),
    graph('Parse errors', 'ops', [query(rate('tandem_sip_parse_errors_total', E, ['code']), '{{code}}')]),
    graph('Connections', 'short', [
      query(`sum by (transport) (tandem_transport_connections{${E}})`, '{{transport}}'),
      query(`sum by (transport) (tandem_transport_handshakes{${E}})`, '{{transport}} in handshake'),
    ]),
    graph('Trouble of transports', 'ops', [
      query(
        rate(
          'tandem_transport_events_total',
          `${E}, event=~"dropped|kernel_dropped|errors|truncated|.*failures|.*timeouts|refused_.*|slow_readers|framing_errors|partial_messages|unreachable"`,
          ['transport', 'event'],
        ),
        '{{transport}} {{event}}',
      ),
    ]),
    row('Transactions and calls'),
    graph(
      'Transactions alive',
      'short',
      [query(`sum by (machine, state) (tandem_sip_transactions_alive{${E}})`, '{{machine}} {{state}}')],
      { stack: true },
    ),
    graph('Begun', 'ops', [query(rate('tandem_sip_transactions_total', E, ['machine']), '{{machine}}')]),
    graph('Timeouts by timer', 'ops', [query(rate('tandem_sip_timeouts_total', E, ['timer']), 'Timer {{timer}}')]),
    graph('Until the next hop says anything', 's', quantiles('tandem_sip_hop_seconds', E)),
    graph('Until the answer', 's', quantiles('tandem_call_answer_seconds', E)),
    graph('CANCELs', 'ops', [query(rate('tandem_edge_cancels_total', E, ['phase']), '{{phase}}')]),
    graph('Branches and forks', 'ops', [
      query(
        rate('tandem_edge_proxy_events_total', `${E}, event=~"forked|forked_requests|failed_over|cancelled"`, [
          'event',
        ]),
        '{{event}}',
      ),
    ]),
    graph('Kept messages', 'bytes', [query(`sum by (edge) (tandem_sip_kept_bytes{${E}})`, '{{edge}}')]),
    graph('Events of the transaction layer', 'ops', [
      query(rate('tandem_sip_transaction_events_total', `${E}, event!~"acks_.*"`, ['event']), '{{event}}'),
    ]),
    row('Refused and limited'),
    graph('Refused by reason', 'reqps', [
      query(rate('tandem_edge_refused_requests_total', E, ['reason']), '{{reason}}'),
    ]),
    graph('Dropped by reason', 'reqps', [
      query(rate('tandem_edge_dropped_messages_total', E, ['reason']), '{{reason}}'),
    ]),
    graph('Refused for overload, by class', 'reqps', [
      query(rate('tandem_edge_admission_refused_total', E, ['class']), '{{class}}'),
    ]),
    graph('Latency that admission follows', 's', [
      query(`max by (edge, rate) (tandem_edge_admission_latency_seconds{${E}})`, '{{edge}} {{rate}}'),
      query(`max by (edge) (tandem_edge_admission_wait_seconds{${E}})`, '{{edge}} wait before reading'),
    ]),
    graph(
      'Admitted at most',
      'reqps',
      [query(`max by (edge, rate) (tandem_edge_admission_rate{${E}})`, '{{edge}} {{rate}}')],
      { description: '0: no limit.' },
    ),
    graph('Banned sources', 'short', [query(`max by (edge) (tandem_edge_banned_sources{${E}})`, '{{edge}}')]),
    row('Location and policy, as edges see them'),
    graph('Policy: 95 %', 's', [query(quantile(0.95, 'tandem_edge_policy_seconds', E, ['method']), '{{method}}')]),
    graph('Location: 95 %', 's', [query(quantile(0.95, 'tandem_edge_location_seconds', E, ['method']), '{{method}}')]),
    graph('Items without a result, repeated, hedged', 'ops', [
      query(rate('tandem_edge_rpc_unknown_total', E, ['peer']), '{{peer}} unknown'),
      query(rate('tandem_edge_rpc_repeated_total', E, ['peer']), '{{peer}} repeated'),
      query(rate('tandem_edge_rpc_hedged_total', E, ['peer']), '{{peer}} hedged'),
      query(rate('tandem_edge_rpc_shunned_total', E, ['peer']), '{{peer}} shunned'),
    ]),
    graph('Queues', 'short', [
      query(`sum by (peer) (tandem_edge_rpc_queued_items{${E}})`, '{{peer}} to be sent'),
      query(`sum by (peer) (tandem_edge_rpc_waiting_items{${E}})`, '{{peer}} to be answered'),
    ]),
    graph('Items in a batch', 'short', [
      query(
        ratio(rate('tandem_edge_rpc_items_total', E, ['peer']), rate('tandem_edge_rpc_batches_total', E, ['peer'])),
        '{{peer}}',
      ),
    ]),
    graph(
      'Circuit breakers of policy nodes',
      'short',
      [query(`max by (edge, node) (tandem_edge_policy_circuit{${E}})`, '{{edge}} {{node}}')],
      { description: '0 closed, 1 half open, 2 open, 3 without a connection.' },
    ),
    graph('Location cache: hits', 'percentunit', [
      query(
        ratio(
          rate('tandem_edge_location_cache_hits_total', E),
          `(${rate('tandem_edge_location_cache_hits_total', E)} + ${rate('tandem_edge_location_cache_misses_total', E)} + ${rate('tandem_edge_location_cache_bypasses_total', E)})`,
        ),
        'hits',
      ),
    ]),
    graph('Reports that policy has not taken', 'short', [
      query(`sum by (edge) (tandem_edge_reports_pending{${E}})`, '{{edge}}'),
    ]),
    graph('DNS', 'ops', [query(rate('tandem_edge_dns_events_total', E, ['event']), '{{event}}')]),
    row('Among edges'),
    graph('Members known', 'short', [query(`min by (edge) (tandem_edge_members{${E}})`, '{{edge}}')]),
    graph('Relayed messages', 'ops', [
      query(rate('tandem_edge_relayed_requests_total', E), 'requests'),
      query(rate('tandem_edge_relayed_responses_total', E), 'responses'),
      query(rate('tandem_edge_relays_taken_total', E), 'taken'),
      query(rate('tandem_edge_relays_refused_total', E), 'refused'),
      query(rate('tandem_edge_relays_lost_total', E), 'lost'),
    ]),
    graph('Relays and adoptions: 99 %', 's', [
      query(quantile(0.99, 'tandem_edge_relay_seconds', E), 'relay'),
      query(quantile(0.99, 'tandem_edge_adoption_seconds', E), 'adoption'),
    ]),
    row('The process'),
    graph('Event loop: busy', 'percentunit', [query(busy(`${E}, service="edge"`), '{{edge}}')]),
    graph('Event loop: how late timers are, 99 %', 's', [
      query(quantile(0.99, 'tandem_process_event_loop_lag_seconds', `${E}, service="edge"`, ['edge']), '{{edge}}'),
    ]),
    graph('Garbage collection', 'percentunit', [
      query(
        `sum by (edge, kind) (rate(nodejs_gc_duration_seconds_sum{${E}, service="edge"}[$__rate_interval]))`,
        '{{edge}} {{kind}}',
      ),
    ]),
    graph('Heap used', 'bytes', [query(`nodejs_heap_size_used_bytes{${E}, service="edge"}`, '{{edge}}')]),
    graph('Open files and sockets', 'short', [query(`process_open_fds{${E}, service="edge"}`, '{{edge}}')]),
    graph('Bindings behind a NAT', 'short', [query(`sum by (edge) (tandem_edge_nat_bindings{${E}})`, '{{edge}}')]),
  ],
  EDGES,
)

const trunks = dashboard(
  'trunks',
  'trunks',
  'Carriers: how many calls they have, how good they are, which are left alone.',
  [
    graph('Calls', 'short', [query(`max by (trunk) (tandem_policy_trunk_calls{${T}})`, '{{trunk}}')]),
    graph(
      'Part of the places that is taken',
      'percentunit',
      [
        query(
          `max by (trunk) (tandem_policy_trunk_calls{${T}}) / max by (trunk) (tandem_policy_trunk_calls_limit{${T}})`,
          '{{trunk}}',
        ),
      ],
      { description: 'Of trunks with a bound.' },
    ),
    graph('Hosts left alone', 'short', [query(`max by (trunk) (tandem_policy_trunk_open_hosts{${T}})`, '{{trunk}}')], {
      description: 'Their breaker is open or half open.',
    }),
    graph('ASR', 'percentunit', [query(`max by (trunk) (tandem_policy_trunk_asr_ratio{${T}})`, '{{trunk}}')], {
      description: 'Answered by attempts, in the window of the trunk.',
    }),
    graph('NER', 'percentunit', [query(`max by (trunk) (tandem_policy_trunk_ner_ratio{${T}})`, '{{trunk}}')], {
      description: 'Attempts in which the network did its part.',
    }),
    graph('ACD', 's', [query(`max by (trunk) (tandem_policy_trunk_acd_seconds{${T}})`, '{{trunk}}')]),
    graph('PDD', 's', [query(`max by (trunk) (tandem_policy_trunk_pdd_seconds{${T}})`, '{{trunk}}')]),
    graph(
      'Attempts by outcome',
      'cps',
      [query(rate('tandem_policy_trunk_outcomes_total', T, ['trunk', 'result']), '{{trunk}} {{result}}')],
      { stack: true },
    ),
    graph('Attempts not let through', 'cps', [
      query(rate('tandem_policy_trunk_refusals_total', C, ['reason']), '{{reason}}'),
    ]),
    graph('Changes of breakers', 'ops', [query(rate('tandem_policy_trunk_breakers_total', C), 'changes')]),
    graph('Probes', 'ops', [
      query(rate('tandem_policy_trunk_probes_total', C), 'sent'),
      query(rate('tandem_policy_trunk_probes_failed_total', C), 'failed'),
    ]),
    graph('Registrations at carriers', 'ops', [
      query(rate('tandem_policy_trunk_registrations_total', C), 'sent'),
      query(rate('tandem_policy_trunk_registrations_failed_total', C), 'failed'),
    ]),
    graph('Registered at the carrier: 1, or 0', 'short', [
      query(`max by (trunk) (tandem_policy_trunk_registered{${C}})`, '{{trunk}}'),
    ]),
    graph('Challenges', 'ops', [
      query(rate('tandem_policy_trunk_challenges_total', C), 'answered or not'),
      query(rate('tandem_policy_trunk_challenges_refused_total', C), 'not answered'),
    ]),
    graph('Tries at another endpoint', 'ops', [query(rate('tandem_edge_failovers_total', C), 'failovers')]),
    graph('Places freed late', 'ops', [query(rate('tandem_policy_trunk_places_freed_total', C), 'freed')], {
      description: 'Nobody had told the end of their call.',
    }),
  ],
  TRUNKS,
)

const registrations = dashboard(
  'registrations',
  'registrations and authentication',
  'Who is registered, who tries, who fails.',
  [
    stat('Registered', 'short', `max(tandem_location_registered_aors{${C}})`, { width: 6 }),
    stat('REGISTERs a second', 'reqps', rate('tandem_sip_requests_total', `${C}, direction="in", method="REGISTER"`), {
      width: 6,
    }),
    stat(
      'Failed',
      'percentunit',
      ratio(
        rate('tandem_edge_registrations_total', `${C}, result="failed"`),
        rate('tandem_edge_registrations_total', C),
      ),
      {
        width: 6,
        description: 'Challenges left out.',
      },
    ),
    stat('Bans', 'short', `max(tandem_policy_bans_known{${C}})`, {
      width: 6,
      description: 'The largest of the kinds, as one node knows them.',
    }),
    graph('Registered addresses-of-record', 'short', [
      query(`max by (cluster) (tandem_location_registered_aors{${C}})`, '{{cluster}}'),
    ]),
    graph('REGISTERs by result', 'reqps', [
      query(rate('tandem_edge_registrations_total', C, ['result']), '{{result}}'),
    ]),
    graph('REGISTERs by what they did', 'reqps', [
      query(rate('tandem_location_registrations_total', C, ['kind']), '{{kind}}'),
    ]),
    graph('Bindings that ended by themselves', 'ops', [
      query(rate('tandem_location_swept_total', C), 'ran out'),
      query(rate('tandem_edge_bindings_ended_total', C), 'connection ended'),
      query(rate('tandem_edge_nat_bindings_removed_total', C), 'no answer behind a NAT'),
      query(rate('tandem_location_disconnected_total', C), 'edge gone'),
      query(rate('tandem_location_kicked_total', C), 'kicked'),
    ]),
    graph('Authentication', 'ops', [
      query(rate('tandem_policy_authentications_total', C, ['method', 'result']), '{{method}} {{result}}'),
    ]),
    graph('Challenges', 'ops', [query(rate('tandem_edge_challenges_total', C), 'challenges')]),
    graph('Wrong passwords, bans', 'ops', [
      query(rate('tandem_policy_failures_total', C), 'wrong passwords'),
      query(rate('tandem_policy_bans_total', C), 'bans made'),
      query(rate('tandem_policy_banned_attempts_total', C), 'attempts of banned users'),
    ]),
    graph('Bans known', 'short', [query(`max by (kind) (tandem_policy_bans_known{${C}})`, '{{kind}}')]),
    graph('Register at location: quantiles', 's', [
      query(quantile(0.5, 'tandem_edge_location_seconds', `${C}, method="register"`), 'half'),
      query(quantile(0.99, 'tandem_edge_location_seconds', `${C}, method="register"`), '99 %'),
    ]),
    graph('Look-ups, and bindings left out', 'ops', [
      query(rate('tandem_location_locates_total', C), 'look-ups'),
      query(rate('tandem_location_unreachable_total', C), 'left out: their edge is no member'),
    ]),
    graph('NAT: pings', 'ops', [
      query(rate('tandem_edge_nat_pings_total', C), 'sent'),
      query(rate('tandem_edge_nat_pings_unanswered_total', C), 'not answered'),
    ]),
    graph('Watched registrations', 'ops', [
      query(rate('tandem_edge_subscriptions_total', C), 'SUBSCRIBE'),
      query(rate('tandem_edge_notifies_total', C), 'NOTIFY'),
      query(rate('tandem_edge_notifies_failed_total', C), 'NOTIFY failed'),
    ]),
  ],
)

const money = dashboard(
  'money-and-fraud',
  'money and fraud',
  'What calls bring, what is held, what rules against fraud found, and whether records arrive.',
  [
    row('Money'),
    graph('Charged a minute', 'short', [
      query(`60 * ${rate('tandem_policy_charged_currency_units_total', C, ['currency'])}`, '{{currency}}'),
    ]),
    graph('Held for calls', 'short', [
      query(`max by (currency) (tandem_policy_held_currency_units{${C}})`, '{{currency}}'),
    ]),
    graph('Calls charged', 'cps', [query(rate('tandem_policy_charged_total', C), 'charged')]),
    graph('No money', 'cps', [
      query(rate('tandem_policy_holds_refused_total', C), 'refused'),
      query(rate('tandem_policy_cut_offs_total', C), 'cut off'),
    ]),
    graph('Talk that nobody pays', 's', [query(rate('tandem_policy_unbilled_seconds_total', C), 'seconds a second')]),
    graph('Holds that lapsed', 'ops', [
      query(rate('tandem_policy_holds_lapsed_total', C), 'answered: taken whole'),
      query(rate('tandem_policy_holds_released_total', C), 'unanswered: released'),
      query(rate('tandem_policy_charges_recovered_total', C), 'charges lost with a master, applied again'),
    ]),
    row('Fraud'),
    graph('Rules that were met', 'ops', [
      query(rate('tandem_policy_fraud_matches_total', C, ['rule', 'level', 'action']), '{{rule}} {{level}} {{action}}'),
    ]),
    graph('What became of it', 'ops', [
      query(rate('tandem_policy_fraud_refusals_total', C), 'refused'),
      query(rate('tandem_policy_fraud_challenges_total', C), 'asked once more'),
      query(rate('tandem_policy_fraud_calls_ended_total', C), 'running calls ended'),
      query(rate('tandem_policy_accounts_blocked_total', C), 'accounts blocked'),
      query(rate('tandem_policy_blocked_calls_total', C), 'stopped by a BlockList'),
    ]),
    graph('Events to the webhook', 'ops', [
      query(rate('tandem_records_fraud_webhook_delivered_total', C), 'delivered'),
      query(rate('tandem_records_fraud_webhook_failures_total', C), 'failed attempts'),
      query(rate('tandem_records_fraud_webhook_dead_letters_total', C), 'dead letters'),
    ]),
    row('Records'),
    graph('Records that wait', 'short', [
      query(`max by (sink) (tandem_policy_records_waiting{${C}})`, '{{sink}} not given yet'),
      query(`max by (sink) (tandem_policy_records_pending{${C}})`, '{{sink}} not acknowledged'),
      query(`sum by (sink) (tandem_records_queued_records{${C}})`, '{{sink}} in memory'),
    ]),
    graph('How far behind', 's', [query(`max by (sink) (tandem_records_lag_seconds{${C}})`, '{{sink}}')]),
    graph('Written', 'ops', [
      query(rate('tandem_records_written_total', C, ['sink']), '{{sink}}'),
      query(rate('tandem_records_write_failures_total', C, ['sink']), '{{sink}} failed'),
      query(rate('tandem_records_dead_letters_total', C, ['sink']), '{{sink}} dead letters'),
    ]),
    graph('Spool', 'bytes', [query(`sum by (sink) (tandem_records_spooled_bytes{${C}})`, '{{sink}}')]),
    graph('Copy of the ledgers', 'ops', [
      query(rate('tandem_records_ledger_entries_total', C), 'entries'),
      query(rate('tandem_records_ledger_failures_total', C), 'failed writes'),
      query(rate('tandem_records_ledger_refused_total', C), 'refused'),
    ]),
    graph('Calls ended by the cluster', 'ops', [
      query(rate('tandem_policy_hang_ups_total', C), 'hang-ups'),
      query(rate('tandem_policy_hang_ups_given_up_total', C), 'that nobody could end'),
      query(rate('tandem_policy_recovered_total', C), 'records of calls that nobody was left of'),
    ]),
  ],
)

const redis = dashboard(
  'redis',
  'store',
  'Redis as location and policy find it; below, what redis_exporter tells where it runs.',
  [
    stat('Reached', 'short', `min(tandem_store_ready{${C}})`, { steps: BAD_IF_NONE, width: 6 }),
    stat('Scripts a second', 'ops', rate('tandem_store_scripts_total', C), { width: 6 }),
    stat('Under way', 'short', `sum(tandem_store_scripts_under_way{${C}})`, { width: 6 }),
    stat('Undecided in an hour', 'short', `sum(increase(tandem_store_undecided_scripts_total{${C}}[1h]))`, {
      width: 6,
      steps: BAD_IF_ANY,
    }),
    graph('Scripts: quantiles', 's', quantiles('tandem_store_script_seconds', C)),
    graph('Slowest scripts, 99 %', 's', [
      query(`topk(8, ${quantile(0.99, 'tandem_store_script_seconds', C, ['script'])})`, '{{script}}'),
    ]),
    graph('Scripts', 'ops', [query(`topk(12, ${rateOfScripts()})`, '{{script}}')]),
    graph('Scripts in a pipeline', 'short', [
      query(
        ratio(rate('tandem_store_scripts_total', C, ['service']), rate('tandem_store_batches_total', C, ['service'])),
        '{{service}}',
      ),
    ]),
    graph('Trouble', 'ops', [
      query(rate('tandem_store_refused_scripts_total', C, ['service']), '{{service}} not sent'),
      query(rate('tandem_store_undecided_scripts_total', C, ['service']), '{{service}} undecided'),
      query(rate('tandem_location_store_refused_total', C), 'writes refused by Redis'),
    ]),
    graph('Items refused for the store', 'ops', [
      query(rate('tandem_location_store_away_total', C), 'location'),
      query(rate('tandem_policy_store_away_total', C), 'policy'),
      query(rate('tandem_policy_admitted_without_store_total', C), 'let through without'),
    ]),
    graph('Records dropped', 'ops', [query(rate('tandem_store_dropped_records_total', C), 'dropped')], {
      description: 'Sinks are too far behind: records are lost.',
    }),
    graph('Resources', 'short', [
      query(`max(tandem_policy_resources_head_revision{${C}})`, 'newest revision'),
      query(`min(tandem_policy_resources_revision{${C}})`, 'oldest in use'),
    ]),
    graph(
      'Redis lost, other masters',
      'short',
      [
        query(`sum by (service) (increase(tandem_store_connection_losses_total{${C}}[5m]))`, '{{service}} lost it'),
        query(`max by (service) (increase(tandem_store_new_masters_total{${C}}[5m]))`, '{{service}} found another'),
      ],
      {
        description:
          'In five minutes: a failover is both. One without the other is a network, or nodes that were added.',
      },
    ),
    row('redis_exporter, where it runs'),
    graph('Memory', 'bytes', [
      query('redis_memory_used_bytes', '{{instance}} used'),
      query('redis_memory_max_bytes', '{{instance}} bound'),
    ]),
    graph('Commands', 'ops', [query('rate(redis_commands_processed_total[$__rate_interval])', '{{instance}}')]),
    graph('Replicas and clients', 'short', [
      query('redis_connected_slaves', '{{instance}} replicas'),
      query('redis_connected_clients', '{{instance}} clients'),
    ]),
    graph('Evicted: must be 0', 'ops', [query('rate(redis_evicted_keys_total[$__rate_interval])', '{{instance}}')]),
  ],
)

function rateOfScripts() {
  return rate('tandem_store_script_seconds_count', C, ['script'])
}

/** By the file's name without its end. */
export const DASHBOARDS = { overview, edge, trunks, registrations, 'money-and-fraud': money, redis }
