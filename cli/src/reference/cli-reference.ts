// SPDX-License-Identifier: MIT
//
// The verbs of `tandem` as data, read from the very definition that parses the command line.
import type { Argument, Command, Option } from 'commander'
import { type Actions, createProgram } from '../program.ts'
import { VERB_EXAMPLES, VERB_STATUS_1 } from './examples.ts'
import { EXIT_STATUS, type ExitStatus } from './exit-status.ts'

export interface OptionReference {
  /** As it is written: `-o, --output <format>`. */
  readonly flags: string
  readonly description: string
  readonly isRequired: boolean
  readonly choices: readonly string[]
  /** As text; '' where it has none. */
  readonly default: string
}

export interface ArgumentReference {
  readonly name: string
  readonly isRequired: boolean
  readonly description: string
  readonly choices: readonly string[]
}

export interface VerbReference {
  /** `bans add` */
  readonly path: string
  readonly usage: string
  readonly aliases: readonly string[]
  readonly description: string
  readonly arguments: readonly ArgumentReference[]
  readonly options: readonly OptionReference[]
  readonly example: string
  /** What status 1 says, where that is more than a failure. */
  readonly status1: string | undefined
}

export interface CliReference {
  readonly verbs: readonly VerbReference[]
  readonly exits: readonly ExitStatus[]
}

/** Actions that are never called. */
const IDLE = new Proxy({} as Actions, { get: () => () => Promise.resolve() })

function defaultText({ defaultValue }: Option): string {
  if (defaultValue === undefined || defaultValue === '' || defaultValue === false) return ''
  if (Array.isArray(defaultValue)) return defaultValue.join(' ')
  return String(defaultValue)
}

function optionOf(option: Option): OptionReference {
  return {
    flags: option.flags,
    description: option.description,
    isRequired: option.mandatory,
    choices: option.argChoices ?? [],
    default: defaultText(option),
  }
}

function argumentOf(argument: Argument): ArgumentReference {
  return {
    name: argument.name(),
    isRequired: argument.required,
    description: argument.description,
    choices: argument.argChoices ?? [],
  }
}

/** A verb without an action of its own only groups others. */
function verbsOf(command: Command, before: string): VerbReference[] {
  const path = `${before} ${command.name()}`.trim()
  const behind = command.commands.flatMap((one) => verbsOf(one, path))
  const example = VERB_EXAMPLES[path]
  if (example === undefined) return behind
  const verb = {
    path,
    usage: `tandem ${path} ${command.usage()}`,
    aliases: command.aliases(),
    description: command.description(),
    arguments: command.registeredArguments.map(argumentOf),
    options: command.options.map(optionOf),
    example,
    status1: VERB_STATUS_1[path],
  }
  return [verb, ...behind]
}

/** All verbs, in the order of `tandem --help`, and the exit statuses. */
export function cliReference(): CliReference {
  const program = createProgram(IDLE, '')
  return { verbs: program.commands.flatMap((one) => verbsOf(one, '')), exits: Object.values(EXIT_STATUS) }
}
