// SPDX-License-Identifier: MIT
//
// Flags and verbs as DESIGN §9 fixes them. Does not test what the verbs do.
import { CommanderError } from 'commander'
import { describe, expect, it } from 'vitest'
import { type Actions, createProgram } from './program.ts'
import { flagSettings } from './settings.ts'
import { flagArguments } from './up/many.ts'
import { loadSettings } from './up/settings.ts'

type Call = [verb: string, ...rest: unknown[]]

async function parse(...args: string[]): Promise<Call> {
  const calls: Call[] = []
  const note =
    (verb: string) =>
    (...rest: unknown[]) => {
      calls.push([verb, ...rest.slice(0, -1).filter((one) => typeof one === 'string'), rest.at(-1)])
      return Promise.resolve()
    }
  const actions: Actions = {
    up: note('up'),
    run: note('run'),
    checkCall: note('checkCall'),
    doctor: note('doctor'),
    locate: note('locate'),
    kick: note('kick'),
    registrations: note('registrations'),
    exportBindings: note('exportBindings'),
    importSubscribers: note('importSubscribers'),
    importKamailio: note('importKamailio'),
    importRoutr: note('importRoutr'),
    importBindings: note('importBindings'),
    calls: note('calls'),
    hangUp: note('hangUp'),
    cdr: note('cdr'),
    balance: note('balance'),
    topUp: note('topUp'),
    unblock: note('unblock'),
    restoreLedgers: note('restoreLedgers'),
    drain: note('drain'),
    trace: note('trace'),
    logs: note('logs'),
    setFilter: note('setFilter'),
    listFilters: note('listFilters'),
    clearFilters: note('clearFilters'),
    trunks: note('trunks'),
    bans: note('bans'),
    addBan: note('addBan'),
    liftBan: note('liftBan'),
    listGroup: note('listGroup'),
    setGroupLogin: note('setGroupLogin'),
    fraudEvents: note('fraudEvents'),
    fraudTest: note('fraudTest'),
    routeTest: note('routeTest'),
    apply: note('apply'),
    diff: note('diff'),
    get: note('get'),
    describe: note('describe'),
    delete: note('delete'),
    exportResources: note('exportResources'),
    history: note('history'),
    rollback: note('rollback'),
    createToken: note('createToken'),
  }
  const program = createProgram(actions, '1.2.3')
  for (const command of [program, ...program.commands]) command.configureOutput({ writeErr: () => undefined })
  await program.parseAsync(args, { from: 'user' })
  expect(calls).toHaveLength(1)
  return calls[0] as Call
}

const ALL = ['--config', 'f.yaml', '--edges', '3', '--processes', 'many', '--store', 'redis://h', '--bind', '::1']
const ALL_FLAGS = { config: 'f.yaml', edges: 3, processes: 'many', store: 'redis://h', bind: '::1' }

describe('tandem hangup', () => {
  it('takes a reference, and a reason', async () => {
    expect(await parse('hangup', 'REF')).toEqual(['hangUp', 'REF', { reason: '', output: 'table' }])
    const [, ref, flags] = await parse('hangup', 'REF', '--reason', 'fraud', '-o', 'json')
    expect([ref, flags]).toEqual(['REF', { reason: 'fraud', output: 'json' }])
  })
})

describe('tandem bans', () => {
  it('lists, adds and lifts, with its flags before or after', async () => {
    expect(await parse('bans', '-o', 'json')).toEqual(['bans', { limit: 100, output: 'json' }])
    const [verb, address, flags] = await parse('bans', 'add', '192.0.2.1', '--for', '1h', '--config', 'f.yaml')
    expect([verb, address, flags]).toEqual([
      'addBan',
      '192.0.2.1',
      expect.objectContaining({ for: '1h', config: 'f.yaml', output: 'table' }),
    ])
    const [lift, user, more] = await parse('bans', 'lift', 'alice@example.test', '-o', 'json')
    expect([lift, user, more]).toEqual(['liftBan', 'alice@example.test', expect.objectContaining({ output: 'json' })])
  })
})

describe('tandem up', () => {
  it('takes every flag', async () => {
    const [verb, flags] = await parse('up', ...ALL, '--base-port', '7000', '--shared-address')
    expect(verb).toBe('up')
    expect(flags).toEqual({ ...ALL_FLAGS, basePort: 7_000, sharedAddress: true })
  })

  it('leaves out what was not given', async () => {
    expect(await parse('up')).toEqual(['up', {}])
  })

  it('passes its flags to children as they were', async () => {
    const flags = { ...ALL_FLAGS, basePort: 7_000, sharedAddress: true }
    const { processes: _processes, ...expected } = flags
    expect(await parse('run', 'edge', ...flagArguments(flags), '--index', '1')).toEqual([
      'run',
      'edge',
      { ...expected, index: 1 },
    ])
  })

  it('sets the paths of the schema', () => {
    const flags = {
      edges: 3,
      processes: 'many',
      store: 'redis://h',
      bind: '127.0.0.2',
      basePort: 7_000,
      sharedAddress: true,
    }
    const config = loadSettings(flags, { makeKeys: true })
    expect(config.edge).toMatchObject({ count: 3, bindAddress: '127.0.0.2', basePort: 7_000, sharedAddress: true })
    expect(config).toMatchObject({ cluster: { processes: 'many' }, store: { url: 'redis://h' } })
    expect(Object.values(flagSettings({})).every((value) => value === undefined)).toBe(true)
  })
})

describe('the administrative verbs', () => {
  it.each([
    [
      ['locate', 'bob@example.test'],
      ['locate', 'bob@example.test', { output: 'table' }],
    ],
    [
      ['kick', 'bob@example.test', '--contact', 'sip:bob@192.0.2.1'],
      ['kick', 'bob@example.test', { output: 'table', contact: 'sip:bob@192.0.2.1' }],
    ],
    [
      ['registrations', '--domain', 'a.test', '--count'],
      ['registrations', { output: 'table', domain: 'a.test', count: true, limit: 100 }],
    ],
    [
      ['bindings', 'export', '--config', 'f'],
      ['exportBindings', { config: 'f' }],
    ],
    [
      ['bindings', 'import'],
      ['importBindings', {}],
    ],
    [
      ['calls', '-o', 'json'],
      ['calls', { output: 'json', limit: 100 }],
    ],
    [
      ['cdr', '--limit', '5', '--output', 'yaml'],
      ['cdr', { output: 'yaml', limit: 5, failed: false }],
    ],
    [
      ['doctor', '--config', 'f'],
      ['doctor', { output: 'table', config: 'f' }],
    ],
  ])('%j', async (args, call) => {
    expect(await parse(...args)).toEqual(call)
  })
})

describe('usage errors', () => {
  it.each([
    ['an unknown verb', ['fly']],
    ['an unknown flag', ['up', '--fly']],
    ['a number that is none', ['up', '--edges', 'two']],
    ['a missing argument', ['locate']],
    ['a verb below that is unknown', ['bindings', 'fly']],
    ['an unknown format', ['calls', '-o', 'xml']],
    ['an unknown mode', ['up', '--processes', 'some']],
    ['an unknown service', ['run', 'phone']],
  ])('%s', async (_name, args) => {
    await expect(parse(...args)).rejects.toBeInstanceOf(CommanderError)
  })
})
