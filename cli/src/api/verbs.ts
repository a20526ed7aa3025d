// SPDX-License-Identifier: MIT
//
// The verbs that go by the admin API, and `token create`. Nothing is done here: each verb hands its parsed flags to `actions`.
import type { Role } from '@tandem/console'
import { Argument, type Command, InvalidArgumentError, Option } from 'commander'
import { FORMATS, type Format } from '../formats.ts'
import type { ApplyFlags, ChangeFlags, DeleteFlags } from './apply.ts'
import type { ApiFlags } from './client.ts'
import type { ExportFlags, GetFlags } from './read.ts'
import type { TokenFlags } from './token.ts'

const ROLES = ['read', 'operate', 'admin'] as const satisfies readonly Role[]

export type OutputFlags = ApiFlags & { readonly output: Format }

/** What the verbs do. */
export interface ApiActions {
  apply(flags: OutputFlags & ApplyFlags): Promise<void>
  diff(flags: OutputFlags & ApplyFlags & { readonly exitCode: boolean }): Promise<void>
  get(kind: string, name: string | undefined, flags: OutputFlags & GetFlags): Promise<void>
  describe(kind: string, name: string, flags: OutputFlags & { readonly domain: string }): Promise<void>
  delete(
    kind: string | undefined,
    names: readonly string[],
    flags: OutputFlags & DeleteFlags & { readonly domain: string },
  ): Promise<void>
  exportResources(flags: ApiFlags & ExportFlags): Promise<void>
  history(flags: OutputFlags & { readonly limit: number }): Promise<void>
  rollback(revision: number, flags: OutputFlags & ChangeFlags): Promise<void>
  createToken(flags: TokenFlags & Pick<OutputFlags, 'output'>): Promise<void>
}

function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.')
  return Number(text)
}

const collect = (text: string, before: readonly string[]): string[] => [...before, text]

function label(text: string, before: readonly string[]): string[] {
  if (!/^[^=]+=/.test(text)) throw new InvalidArgumentError('Expected name=value.')
  return [...before, ...text.split(',')]
}

function apiCommand(program: Command, usage: string, description: string): Command {
  return program
    .command(usage)
    .description(description)
    .option('--api <url>', 'of the admin API; else TANDEM_API, else by the cluster file')
    .option('--token <token>', 'else TANDEM_TOKEN (a flag is seen by others on this machine)')
    .option('--token-file <file>', 'that holds it; else TANDEM_TOKEN_FILE')
    .option('--ca <file>', 'PEM of the authority of its certificate; else TANDEM_CA')
    .option('--config <file>', 'cluster file (YAML)')
}

const withOutput = (command: Command): Command =>
  command.addOption(new Option('-o, --output <format>', 'how to print').choices(FORMATS).default('table'))

const withFiles = (command: Command): Command =>
  command.option(
    '-f, --filename <file>',
    'file or folder of documents, - for standard input; may be repeated',
    collect,
    [],
  )

function withChange(command: Command): Command {
  return withOutput(command)
    .option('--dry-run', 'say what would change, and change nothing', false)
    .option('--comment <text>', 'for the history', '')
    .option('--expected-revision <n>', 'only on this revision', count, 0)
    .option('--manager <name>', 'whose resources these are; api unless set', '')
}

function addChanges(program: Command, actions: ApiActions): void {
  const needsFile = (flags: ApplyFlags, command: Command): void => {
    if (flags.filename.length === 0) command.error("error: required option '-f, --filename <file>' not specified")
  }
  withChange(
    withFiles(apiCommand(program, 'apply', 'make documents the next revision of the resources: all or nothing')),
  )
    .option('--prune', 'remove what its manager has and the files have not', false)
    .action((flags: OutputFlags & ApplyFlags, command: Command) => {
      needsFile(flags, command)
      return actions.apply(flags)
    })
  withChange(withFiles(apiCommand(program, 'diff', 'what apply would change')))
    .option('--prune', 'as for apply', false)
    .option('--exit-code', 'status 1 where anything differs', false)
    .action((flags: OutputFlags & ApplyFlags & { exitCode: boolean }, command: Command) => {
      needsFile(flags, command)
      return actions.diff(flags)
    })
  withChange(withFiles(apiCommand(program, 'delete [kind] [names...]', 'remove resources, by name or by file')))
    .option('-d, --domain <domain>', 'of names that do not say theirs', '')
    .action(
      (
        kind: string | undefined,
        names: string[],
        flags: OutputFlags & DeleteFlags & { domain: string },
        command: Command,
      ) => {
        if (names.length === 0 && flags.filename.length === 0) command.error('error: expected a kind and names, or -f')
        return actions.delete(kind, names, flags)
      },
    )
  withChange(apiCommand(program, 'rollback', 'make an older revision the next one'))
    .addArgument(new Argument('<revision>', '`tandem history` shows them').argParser(count))
    .action((revision: number, flags: OutputFlags & ChangeFlags) => actions.rollback(revision, flags))
}

function addReads(program: Command, actions: ApiActions): void {
  withOutput(apiCommand(program, 'get <kind> [name]', 'resources of a kind, or of all kinds (all)'))
    .option('-d, --domain <domain>', 'of this domain', '')
    .option('-l, --selector <label>', 'with this label, name=value; several by commas', label, [])
    .option('--manager <name>', 'of this manager', '')
    .option('--limit <n>', 'at most', count, 1_000)
    .action((kind: string, name: string | undefined, flags: OutputFlags & GetFlags) => actions.get(kind, name, flags))
  withOutput(apiCommand(program, 'describe <kind> <name>', 'a resource, who holds it, and what refers to it'))
    .option('-d, --domain <domain>', 'of this domain', '')
    .action((kind: string, name: string, flags: OutputFlags & { domain: string }) =>
      actions.describe(kind, name, flags),
    )
  apiCommand(program, 'export', 'all resources as YAML that applies again')
    .option('--kind <kind>', 'of this kind', '')
    .option('-d, --domain <domain>', 'of this domain', '')
    .option('--manager <name>', 'of this manager', '')
    .action((flags: ApiFlags & ExportFlags) => actions.exportResources(flags))
  withOutput(apiCommand(program, 'history', 'revisions of the resources, newest first'))
    .option('--limit <n>', 'at most', count, 20)
    .action((flags: OutputFlags & { limit: number }) => actions.history(flags))
}

function addTokens(program: Command, actions: ApiActions): void {
  const token = program.command('token').description('tokens for the admin API')
  withOutput(token.command('create').description('make one; it is shown once'))
    .requiredOption('--name <name>', 'who holds it; stands in the audit log')
    .addOption(new Option('--role <role>', 'what it allows').choices(ROLES).default('read'))
    .action((flags: TokenFlags & { output: Format }) => actions.createToken(flags))
  for (const command of token.commands) command.exitOverride()
}

export function addApiVerbs(program: Command, actions: ApiActions): void {
  addChanges(program, actions)
  addReads(program, actions)
  addTokens(program, actions)
}
