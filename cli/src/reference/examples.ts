// SPDX-License-Identifier: MIT
//
// One example for each verb that has an action, by its path, and what a status other than 0 means where that is the verb's own.
// A test parses each, and holds the keys against the verbs.

export const VERB_EXAMPLES: Readonly<Record<string, string>> = {
  up: 'tandem up --config examples/quickstart.yaml --edges 3',
  run: 'tandem run edge --index 0 --config /etc/tandem/tandem.yaml',
  doctor: 'tandem doctor --config /etc/tandem/tandem.yaml',
  'check-call': 'tandem check-call --server 192.0.2.10 --caller alice@example.test --callee bob@example.test',
  apply: "tandem apply -f resources/ --comment 'new trunk'",
  diff: 'tandem diff -f resources/ --exit-code',
  delete: 'tandem delete subscriber alice@example.test',
  rollback: 'tandem rollback 41 --comment back',
  get: 'tandem get subscribers -d example.test -o yaml',
  describe: 'tandem describe trunk carrier-a',
  export: 'tandem export --kind trunk',
  history: 'tandem history --limit 5',
  'token create': 'tandem token create --name ci --role operate',
  locate: 'tandem locate alice@example.test',
  kick: 'tandem kick alice@example.test',
  registrations: 'tandem registrations --domain example.test --count',
  'bindings export': 'tandem bindings export --config /etc/tandem/tandem.yaml',
  'bindings import': 'tandem bindings import --config /etc/tandem/tandem.yaml',
  'import subscribers': 'tandem import subscribers users.csv --out users.yaml',
  'import kamailio': 'tandem import kamailio --subscriber subscriber.csv --dispatcher dispatcher.csv --out new',
  'import routr': 'tandem import routr agents.yaml trunks.yaml --out new',
  balance: 'tandem balance acme --ledger',
  unblock: 'tandem unblock acme',
  'ledger restore': 'tandem ledger restore --dry-run',
  topup: 'tandem topup acme 25.00 --key payment-4711',
  'route-test': 'tandem route-test --from sip:alice@example.test --to +4930123456',
  trunks: 'tandem trunks carrier-a',
  'group list': 'tandem group list sales@example.test',
  'group login': 'tandem group login alice@example.test sales@example.test',
  'group logout': 'tandem group logout alice@example.test',
  bans: 'tandem bans -o json',
  'bans add': 'tandem bans add 192.0.2.66 --for 1h',
  'bans lift': 'tandem bans lift alice@example.test',
  'fraud events': 'tandem fraud events --since 15m --follow',
  'fraud test': 'tandem fraud test --from sip:alice@example.test --to +88213000000',
  calls: 'tandem calls --limit 20',
  hangup: "tandem hangup REF --reason 'maintenance'",
  drain: 'tandem drain edge-0',
  trace: 'tandem trace 3848276298220188511@phone.example.test --pcap call.pcap',
  logs: 'tandem logs --user alice@example.test tandem.log',
  filter: 'tandem filter',
  'filter add': 'tandem filter add --source 192.0.2.66 --for 10m --to log hep',
  'filter clear': 'tandem filter clear',
  cdr: 'tandem cdr --since 1h --failed -o json',
}

/** Status 1 of these says something of its own. */
export const VERB_STATUS_1: Readonly<Record<string, string>> = {
  doctor: 'something is not as it should be: the lines say what',
  'check-call': 'the step that is named failed',
  diff: 'with `--exit-code`: something differs',
  apply: 'nothing was changed: one of the documents was refused',
}
