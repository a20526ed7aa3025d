// SPDX-License-Identifier: MIT
//
// Does not test apt itself.
import { describe, expect, it } from 'vitest'
import { ensurePrograms } from './programs.mjs'

const ALL = ['redis-server', 'sip-tester', 'postgresql', 'prometheus', 'iptables']
const OTHERS = ['promtool', 'iptables']
const INSTALL = ['apt-get', 'install', '-y', '-qq', '--no-install-recommends']

/** A machine with these programs, on which apt-get brings what it is asked for unless it fails. */
function machine(programs, { isRoot = true, failing = [] } = {}) {
  const ran = []
  const said = []
  const system = {
    isOnPath: (program) => programs.includes(program),
    isRoot: () => isRoot,
    say: (text) => void said.push(text),
    run(command, args, { env }) {
      ran.push([command, ...args])
      expect(env).toMatchObject({ DEBIAN_FRONTEND: 'noninteractive', PATH: process.env.PATH })
      return args.some((word) => failing.includes(word)) ? 100 : 0
    },
  }
  return { system, ran, said: () => said.join('\n') }
}

describe('ensurePrograms', () => {
  it.each([
    ['all', [], ALL],
    ['SIPp', ['redis-server', 'postgres', ...OTHERS], ['sip-tester']],
    ['Redis', ['sipp', 'pg_ctlcluster', ...OTHERS], ['redis-server']],
    ['PostgreSQL', ['redis-server', 'sipp', ...OTHERS], ['postgresql']],
    ['Prometheus', ['redis-server', 'sipp', 'postgres', 'iptables'], ['prometheus']],
  ])('installs %s when missing, after an update of the lists', (_name, there, packages) => {
    const { system, ran, said } = machine(['apt-get', ...there])
    ensurePrograms(system)
    expect(ran).toEqual([
      ['apt-get', 'update', '-qq'],
      [...INSTALL, ...packages],
    ])
    expect(said()).not.toContain('skipped')
  })

  it('does nothing when all are there', () => {
    const { system, ran, said } = machine(['apt-get', 'redis-server', 'sipp', 'pg_ctlcluster', ...OTHERS])
    ensurePrograms(system)
    expect([ran, said()]).toEqual([[], ''])
  })

  it('tries with the lists at hand when they cannot be updated', () => {
    const { system, ran } = machine(['apt-get'], { failing: ['update'] })
    ensurePrograms(system)
    expect(ran.at(-1)).toEqual([...INSTALL, ...ALL])
  })

  it.each([
    ['not root', ['apt-get'], { isRoot: false }, 0],
    ['no apt', [], {}, 0],
    ['apt fails', ['apt-get'], { failing: ['install'] }, 2 + ALL.length],
  ])('%s: says what is skipped and how to get it', (_name, there, options, runs) => {
    const { system, ran, said } = machine(there, options)
    ensurePrograms(system)
    expect(ran).toHaveLength(runs)
    expect(said()).toContain(
      'not installed: redis-server, sipp, postgres, promtool, iptables. The suites that need them',
    )
    expect(said()).toContain(`apt-get install ${ALL.join(' ')}`)
  })

  it('a package that is not to be had keeps none of the others away', () => {
    const { system, ran, said } = machine(['apt-get', 'postgres', 'iptables'], { failing: ['prometheus'] })
    ensurePrograms(system)
    const one = (...names) => [...INSTALL, ...names]
    const all = one('redis-server', 'sip-tester', 'prometheus')
    expect(ran.slice(1)).toEqual([all, one('redis-server'), one('sip-tester'), one('prometheus')])
    expect(said()).toContain('not installed: promtool. The suites that need them are skipped')
    expect(said()).toContain('apt-get install prometheus')
  })
})
