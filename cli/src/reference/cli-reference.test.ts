// SPDX-License-Identifier: MIT
//
// Each verb that does something has an example, each example is taken by the parser and reaches its verb's action.
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { type Actions, createProgram } from '../program.ts'
import { cliReference } from './cli-reference.ts'
import { VERB_EXAMPLES, VERB_STATUS_1 } from './examples.ts'

/** As a shell splits the words of an example. */
const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? (plain as string))

function program(called: string[]): Command {
  const actions = new Proxy({} as Actions, {
    get: (_target, name) => () => {
      called.push(String(name))
      return Promise.resolve()
    },
  })
  return createProgram(actions, '1')
}

/** Paths of commands that no further command stands below. */
function leaves(command: Command, before: string): string[] {
  const path = `${before} ${command.name()}`.trim()
  return command.commands.length === 0 ? [path] : command.commands.flatMap((one) => leaves(one, path))
}

describe('the reference of the command line', () => {
  it('has each verb, and no other', () => {
    const paths = cliReference().verbs.map(({ path }) => path)
    expect(paths).toEqual(expect.arrayContaining(program([]).commands.flatMap((one) => leaves(one, ''))))
    expect([...paths].sort()).toEqual(Object.keys(VERB_EXAMPLES).sort())
    expect(paths).toEqual(expect.arrayContaining(Object.keys(VERB_STATUS_1)))
  })

  it.each(Object.entries(VERB_EXAMPLES))('%s: its example is taken', async (path, example) => {
    const called: string[] = []
    const [, ...args] = words(example)
    await program(called).parseAsync(args, { from: 'user' })
    expect(args.slice(0, path.split(' ').length)).toEqual(path.split(' '))
    expect(called).toHaveLength(1)
  })

  it('says defaults, choices and what must be given', () => {
    const verb = cliReference().verbs.find(({ path }) => path === 'check-call')
    const of = (flag: string) => verb?.options.find(({ flags }) => flags.includes(flag))
    expect(of('--transport')).toMatchObject({ default: 'udp', choices: ['udp', 'tcp'], isRequired: false })
    expect(of('--server')).toMatchObject({ isRequired: true })
    expect(of('--timeout')).toMatchObject({ default: '10000' })
  })
})
