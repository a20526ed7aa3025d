// SPDX-License-Identifier: MIT
//
// The verbs and flags of `tandem` (DESIGN §9). Nothing is done here: each verb hands its parsed flags to `actions`.
// Nothing heavy is loaded here either: `--help` and a misspelt verb are answered at once.
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import type { BalanceFlags } from './admin/balance.ts'
import { type CdrFlags, parseWhen } from './admin/cdr-flags.ts'
import type { FraudEventFlags, FraudTestFlags } from './admin/fraud.ts'
import type { ImportFlags } from './admin/import-subscribers.ts'
import type { RestoreFlags } from './admin/ledger.ts'
import type { RegistrationFlags } from './admin/registrations.ts'
import type { RouteTestFlags } from './admin/route-test.ts'
import { type ApiActions, addApiVerbs } from './api/verbs.ts'
import type { CheckFlags } from './check/check-call.ts'
import { CDR_FORMATS, type CdrFormat, FORMATS, type Format } from './formats.ts'
import type { KamailioFlags, RoutrFlags } from './import/run.ts'
import { LOG_FORMATS, LOG_LEVELS, type LogVerbFlags } from './logs/flags.ts'
import type { ClusterFlags } from './settings.ts'
import type { FilterFlags } from './trace/filters.ts'
import type { TraceFlags } from './trace/trace.ts'
import { SERVICES, type ServiceName } from './up/services.ts'

export interface AdminFlags {
  readonly config?: string
  readonly output: Format
  readonly limit: number
}

/** What the verbs do. */
export interface Actions extends ApiActions {
  up(flags: ClusterFlags): Promise<void>
  run(service: ServiceName, flags: ClusterFlags): Promise<void>
  doctor(flags: ClusterFlags & Pick<AdminFlags, 'output'>): Promise<void>
  checkCall(flags: CheckFlags & Pick<AdminFlags, 'output'>): Promise<void>
  locate(aor: string, flags: AdminFlags): Promise<void>
  kick(aor: string, flags: AdminFlags & { readonly contact: string }): Promise<void>
  registrations(flags: AdminFlags & RegistrationFlags): Promise<void>
  exportBindings(flags: Pick<AdminFlags, 'config'>): Promise<void>
  importBindings(flags: Pick<AdminFlags, 'config'>): Promise<void>
  importSubscribers(file: string, flags: ImportFlags): Promise<void>
  importKamailio(flags: KamailioFlags): Promise<void>
  importRoutr(files: readonly string[], flags: RoutrFlags): Promise<void>
  calls(flags: AdminFlags): Promise<void>
  hangUp(ref: string, flags: AdminFlags & { readonly reason: string }): Promise<void>
  balance(account: string, flags: AdminFlags & BalanceFlags): Promise<void>
  unblock(account: string, flags: AdminFlags): Promise<void>
  restoreLedgers(account: string, flags: AdminFlags & RestoreFlags): Promise<void>
  topUp(account: string, amount: string, flags: AdminFlags & { readonly key: string }): Promise<void>
  drain(edge: string, flags: AdminFlags): Promise<void>
  trace(callId: string, flags: AdminFlags & TraceFlags): Promise<void>
  logs(files: readonly string[], flags: LogVerbFlags): Promise<void>
  setFilter(flags: AdminFlags & FilterFlags): Promise<void>
  listFilters(flags: AdminFlags): Promise<void>
  clearFilters(flags: AdminFlags): Promise<void>
  trunks(trunk: string | undefined, flags: AdminFlags): Promise<void>
  listGroup(group: string, flags: AdminFlags): Promise<void>
  setGroupLogin(member: string, group: string, loggedIn: boolean, flags: AdminFlags): Promise<void>
  bans(flags: AdminFlags): Promise<void>
  addBan(address: string, flags: AdminFlags & { readonly for: string }): Promise<void>
  liftBan(target: string, flags: AdminFlags): Promise<void>
  fraudEvents(flags: AdminFlags & FraudEventFlags): Promise<void>
  fraudTest(flags: AdminFlags & FraudTestFlags): Promise<void>
  routeTest(flags: AdminFlags & RouteTestFlags): Promise<void>
  cdr(flags: CdrFlags & Pick<AdminFlags, 'config'> & { readonly output: CdrFormat }): Promise<void>
}

function integer(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.')
  return Number(text)
}

function withClusterFlags(command: Command): Command {
  return command
    .option('--config <file>', 'cluster file (YAML)')
    .option('--edges <n>', 'number of edges', integer)
    .option('--store <url>', 'memory, redis://…, rediss://…, redis-sentinel://… or redis-cluster://…')
    .option('--bind <address>', 'IP address of the SIP listeners')
    .option('--base-port <port>', 'SIP port of edge 0; edge k adds 100k', integer)
    .option('--shared-address', 'all edges share one SIP address and port')
    .addOption(
      new Option('--processes <mode>', 'single: one process; many: one per service and edge').choices([
        'single',
        'many',
      ]),
    )
}

function withOutput(command: Command): Command {
  const output = new Option('-o, --output <format>', 'how to print').choices(FORMATS).default('table')
  return command.addOption(output)
}

function adminCommand(program: Command, usage: string, description: string): Command {
  return withOutput(program.command(usage).description(description).option('--config <file>', 'cluster file (YAML)'))
}

function addClusterVerbs(program: Command, actions: Actions): void {
  const up = program.command('up').description('run the whole cluster on this machine')
  withClusterFlags(up).action((flags: ClusterFlags) => actions.up(flags))
  const run = program.command('run', { hidden: true }).description('run one service of the cluster')
  withClusterFlags(run)
    .addArgument(new Argument('<service>').choices(SERVICES))
    .option('--index <k>', 'which edge, or which location node', integer)
    .action((service: ServiceName, flags: ClusterFlags) => actions.run(service, flags))
  const doctor = program.command('doctor').description('check this machine and the store')
  withOutput(withClusterFlags(doctor)).action((flags: ClusterFlags & AdminFlags) => actions.doctor(flags))
  withOutput(
    program.command('check-call').description('register two phones, call, hang up: by SIP alone, from outside'),
  )
    .requiredOption('--server <host[:port]>', 'where SIP is taken')
    .requiredOption('--caller <user@domain>', 'who calls; the password is in TANDEM_CHECK_CALLER_PASSWORD')
    .requiredOption('--callee <user@domain>', 'who is called; the password is in TANDEM_CHECK_CALLEE_PASSWORD')
    .addOption(new Option('--transport <name>', 'udp or tcp').choices(['udp', 'tcp']).default('udp'))
    .option('--timeout <ms>', 'for each step', integer, 10_000)
    .action((flags: CheckFlags & AdminFlags) => actions.checkCall(flags))
}

function addAdminVerbs(program: Command, actions: Actions): void {
  adminCommand(program, 'locate <aor>', 'where a user is registered').action((aor: string, flags: AdminFlags) =>
    actions.locate(aor, flags),
  )
  adminCommand(program, 'kick <aor>', 'remove the bindings of a user')
    .option('--contact <uri>', 'this one alone', '')
    .action((aor: string, flags: AdminFlags & { contact: string }) => actions.kick(aor, flags))
  adminCommand(program, 'registrations', 'who is registered')
    .option('--domain <domain>', 'in this domain', '')
    .option('--count', 'how many alone', false)
    .option('--limit <n>', 'at most', integer, 100)
    .action((flags: AdminFlags & RegistrationFlags) => actions.registrations(flags))
  addBindings(program, actions)
  addImports(program, actions)
  addMoney(program, actions)
  addBans(program, actions)
  addFraud(program, actions)
  adminCommand(program, 'calls', 'calls that have not ended')
    .option('--limit <n>', 'at most', integer, 100)
    .action((flags: AdminFlags) => actions.calls(flags))
  adminCommand(program, 'hangup <ref>', 'end a call; `tandem calls` shows the refs')
    .option('--reason <text>', 'text, or a whole value of a Reason header, that both parties are told', '')
    .action((ref: string, flags: AdminFlags & { reason: string }) => actions.hangUp(ref, flags))
  addTrace(program, actions)
  addRecords(program, actions)
}

function addTrace(program: Command, actions: Actions): void {
  adminCommand(
    program,
    'drain <edge>',
    'have an edge take no new calls and finish those it has; stop it when it is empty',
  ).action((edge: string, flags: AdminFlags) => actions.drain(edge, flags))
  adminCommand(program, 'trace <call-id>', 'the messages of a call that edges still keep, as a ladder')
    .option('--full', 'with every message', false)
    .option('--follow', 'and what comes, until it is interrupted', false)
    .option('--pcap <file>', 'into a file for Wireshark')
    .action((callId: string, flags: AdminFlags & TraceFlags) => actions.trace(callId, flags))
  program
    .command('logs [files...]')
    .description('lines of the logs of all processes, from files or standard input, picked and made readable')
    .option('--config <file>', 'cluster file (YAML): with --user, to know by which name lines call him')
    .option('--call <id>', 'of this call: Call-ID, reference or trace id', '')
    .option('--user <user>', 'that name this user, or user@domain', '')
    .option('--event <name>', 'of this kind: call_end, refused, message, lines_left_out', '')
    .addOption(new Option('--level <level>', 'of this level and above').choices(LOG_LEVELS).default('trace'))
    .addOption(new Option('-o, --output <format>', 'for people, or as they are').choices(LOG_FORMATS).default('text'))
    .action((files: readonly string[], flags: LogVerbFlags) => actions.logs(files, flags))
  const filter = adminCommand(program, 'filter', 'whose messages edges log or mirror for a time').action(
    (flags: AdminFlags) => actions.listFilters(flags),
  )
  adminCommand(filter, 'add', 'log or mirror the messages of a call, a source or a user; what is set must all fit')
    .option('--call-id <id>', 'of this call', '')
    .option('--source <address>', 'from and to this address, or network such as 192.0.2.0/24', '')
    .option('--user <user>', 'whose From, To or P-Asserted-Identity names this user, or user@domain', '')
    .option('--for <time>', 'such as 90s, 10m, 1h; a day at most', '10m')
    .addOption(
      new Option('--to <where...>', 'into the log, or to the HEP collector').choices(['log', 'hep']).default(['log']),
    )
    .action((_flags: object, command: Command) => actions.setFilter(command.optsWithGlobals()))
  adminCommand(filter, 'clear', 'end all filters of all edges').action((_flags: object, command: Command) =>
    actions.clearFilters(command.optsWithGlobals()),
  )
  for (const command of filter.commands) command.exitOverride()
}

function addRecords(program: Command, actions: Actions): void {
  program
    .command('cdr')
    .description('finished call records, oldest first; without a time the newest 20')
    .option('--config <file>', 'cluster file (YAML)')
    .option('--since <when>', 'that ended since: 90s, 15m, 1h, 7d ago, or a time (ISO 8601)', when)
    .option('--until <when>', 'that ended before', when)
    .option('--account <name>', 'of this account')
    .option('--trunk <name>', 'that came from, or went to, this trunk')
    .option('--call-id <id>', 'of this Call-ID')
    .option('--caller <text>', 'whose caller has this in it')
    .option('--callee <text>', 'whose callee, or number, has this in it')
    .option('--failed', 'that were not answered', false)
    .option('--limit <n>', 'the newest of them, at most', integer)
    .addOption(new Option('--from <source>', 'where to look').choices(['postgres', 'files']))
    .addOption(new Option('-o, --output <format>', 'output').choices(CDR_FORMATS).default('table'))
    .action((flags: CdrFlags & { output: CdrFormat }) => actions.cdr(flags))
}

function when(text: string): string {
  if (parseWhen(text, 0) === undefined)
    throw new InvalidArgumentError('Expected 90s, 15m, 1h, 7d, or a time (ISO 8601).')
  return text
}

function addBans(program: Command, actions: Actions): void {
  adminCommand(program, 'route-test', 'what would become of a call, why, and at what price; calls nobody')
    .requiredOption('--from <uri>', 'who calls: sip:user@domain, taken to be who he says; with --trunk any number')
    .requiredOption('--to <uri>', 'who is called: a URI, or a number as the caller dials it')
    .option('--trunk <name>', 'the call comes by this trunk', '')
    .option('--at <time>', "when, ISO 8601, of this machine's zone where it names none; now unless set", '')
    .action((flags: AdminFlags & RouteTestFlags) => actions.routeTest(flags))
  adminCommand(program, 'trunks [trunk]', 'how trunks stand: registration, breakers, calls, quality').action(
    (trunk: string | undefined, flags: AdminFlags) => actions.trunks(trunk, flags),
  )
  const group = program.command('group').description('members of hunt groups: who has logged in; logs them in and out')
  adminCommand(
    group,
    'list <group>',
    'who has logged in, and how long each has had no call; such as sales@example.test',
  ).action((name: string, flags: AdminFlags) => actions.listGroup(name, flags))
  for (const [verb, loggedIn] of [
    ['login', true],
    ['logout', false],
  ] as const) {
    adminCommand(
      group,
      `${verb} <member> [group]`,
      `a member, such as alice@example.test: ${verb} of one group, or of all`,
    ).action((member: string, name: string | undefined, flags: AdminFlags) =>
      actions.setGroupLogin(member, name ?? '', loggedIn, flags),
    )
  }
  const bans = adminCommand(program, 'bans', 'who is banned for wrong passwords, or by a person')
    .option('--limit <n>', 'at most', integer, 100)
    .action((flags: AdminFlags) => actions.bans(flags))
  adminCommand(bans, 'add <address>', 'ban an address (of IPv6 its /64)')
    .requiredOption('--for <time>', 'such as 90s, 10m, 1h, 2d')
    .action((address: string, _flags: object, command: Command) => actions.addBan(address, command.optsWithGlobals()))
  adminCommand(
    bans,
    'lift <address|user>',
    'end all bans of an address or of a user, such as alice@example.test',
  ).action((target: string, _flags: object, command: Command) => actions.liftBan(target, command.optsWithGlobals()))
  for (const command of bans.commands) command.exitOverride()
}

function addMoney(program: Command, actions: Actions): void {
  adminCommand(program, 'balance <account>', 'what an account has, and what is reserved')
    .option('--ledger', 'its newest movements too', false)
    .option('--limit <n>', 'movements at most', integer, 20)
    .action((account: string, flags: AdminFlags & BalanceFlags) => actions.balance(account, flags))
  adminCommand(
    program,
    'unblock <account>',
    'lift the block for a time that a rule against fraud has put on an account',
  ).action((account: string, flags: AdminFlags) => actions.unblock(account, flags))
  const ledger = program.command('ledger').description('the copy of ledgers in PostgreSQL')
  adminCommand(ledger, 'restore [account]', 'make ledgers that the store has lost anew; what it has stays as it is')
    .option('--dry-run', 'say what is there, and change nothing', false)
    .action((account: string | undefined, flags: AdminFlags & RestoreFlags) => {
      return actions.restoreLedgers(account ?? '', flags)
    })
  for (const command of ledger.commands) command.exitOverride()
  adminCommand(program, 'topup <account> <amount>', 'add to a balance; the same key again changes nothing')
    .requiredOption('--key <key>', 'of this payment')
    .action((account: string, amount: string, flags: AdminFlags & { key: string }) =>
      actions.topUp(account, amount, flags),
    )
}

function addFraud(program: Command, actions: Actions): void {
  const fraud = program.command('fraud').description('rules against fraud: what they found, what they would find')
  adminCommand(fraud, 'events', 'what was found, oldest first')
    .option('--since <age>', 'not older than this: 90s, 15m, 1h, 7d', '1h')
    .option('--account <name>', 'of this account alone', '')
    .option('--rule <name>', 'of this rule alone', '')
    .option('--limit <n>', 'the newest, at most', integer, 100)
    .option('--follow', 'go on with what comes, one line each', false)
    .action((flags: AdminFlags & FraudEventFlags) => actions.fraudEvents(flags))
  adminCommand(fraud, 'test', 'which rules a call would meet, and why; counts nothing')
    .requiredOption('--from <uri>', 'who calls: sip:user@domain, or a stranger')
    .requiredOption('--to <uri>', 'who is called: a URI or a number')
    .option('--account <name>', "who pays, where it is not the caller's", '')
    .option('--source <address>', 'IP address that the call comes from', '')
    .option('--user-agent <text>', 'what the phone says it is', '')
    .option('--at <time>', 'when, ISO 8601; now unless set', '')
    .option('--all', 'also rules that do not look at the call', false)
    .action((flags: AdminFlags & FraudTestFlags) => actions.fraudTest(flags))
  for (const command of fraud.commands) command.exitOverride()
}

function addBindings(program: Command, actions: Actions): void {
  const bindings = program.command('bindings').description('all bindings as NDJSON')
  const config = ['--config <file>', 'cluster file (YAML)'] as const
  const out = bindings
    .command('export')
    .description('write them to standard output')
    .option(...config)
  out.action((flags: Pick<AdminFlags, 'config'>) => actions.exportBindings(flags))
  const back = bindings
    .command('import')
    .description('store those of standard input')
    .option(...config)
  back.action((flags: Pick<AdminFlags, 'config'>) => actions.importBindings(flags))
  for (const command of bindings.commands) command.exitOverride()
}

function addImports(program: Command, actions: Actions): void {
  const imports = program.command('import').description('data of other systems as resource documents')
  imports
    .command('subscribers <file>')
    .description('CSV (username, domain, ha1_md5, ha1_sha256), a `subscriber` table, or an htdigest file')
    .option('--domain <domain>', 'of lines that name none')
    .option('--realm <realm>', 'with which passwords in clear are hashed; the domain unless set')
    .option('--out <file>', 'a new file for the documents; else standard output')
    .action((file: string, flags: ImportFlags) => actions.importSubscribers(file, flags))
  imports
    .command('kamailio')
    .alias('opensips')
    .description(
      'tables of Kamailio or OpenSIPS as CSV or TSV with a line of column names; a report says what was not understood',
    )
    .option('--subscriber <file>', 'users')
    .option('--dispatcher <file>', 'sets of destinations')
    .option('--dr-gateways <file>', 'gateways of dynamic routing')
    .option('--dr-carriers <file>', 'its carriers')
    .option('--dr-rules <file>', 'its rules')
    .option('--address <file>', 'addresses that may call (module permissions)')
    .option('--domain <domain>', 'of users that name none')
    .option('--realm <realm>', 'with which passwords in clear are hashed; the domain unless set')
    .option('--e164', 'prefixes are E.164 without its plus', false)
    .option('--out <folder>', 'a new folder, one file a kind; else standard output')
    .action((flags: KamailioFlags) => actions.importKamailio(flags))
  imports
    .command('routr <files...>')
    .description('YAML resources of Routr, v1 or v2')
    .option('--peer-domain <domain>', 'where its peers register; the only domain unless set')
    .option('--out <folder>', 'a new folder, one file a kind; else standard output')
    .action((files: string[], flags: RoutrFlags) => actions.importRoutr(files, flags))
  for (const command of imports.commands) command.exitOverride()
}

/** The command, with every exit turned into a `CommanderError`. */
export function createProgram(actions: Actions, version: string): Command {
  const program = new Command('tandem')
    .description('A SIP edge cluster in which any node routes any call.')
    .version(version)
  program.showHelpAfterError('(tandem --help lists the verbs)')
  addClusterVerbs(program, actions)
  addApiVerbs(program, actions)
  addAdminVerbs(program, actions)
  for (const command of [program, ...program.commands]) command.exitOverride()
  return program
}
