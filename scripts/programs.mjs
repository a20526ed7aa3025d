// SPDX-License-Identifier: MIT
//
// Programs that suites drive and npm does not bring. As root on Debian or Ubuntu the missing ones are installed; elsewhere
// a line says what is missing, and the suites skip with their reason.
import { isOnPath, runQuietly, say } from './bootstrap.mjs'

/** What suites ask for → Debian package that brings it, and what of it is found where that is another program. */
const PROGRAMS = {
  'redis-server': { package: 'redis-server' },
  sipp: { package: 'sip-tester' },
  postgres: { package: 'postgresql', also: 'pg_ctlcluster' },
  promtool: { package: 'prometheus' },
  iptables: { package: 'iptables' },
}
const MINUTE = 60_000
// A package must not start a server of its own on the port that tests or people use.
const ENV = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }

const SYSTEM = { isOnPath, isRoot: () => process.getuid?.() === 0, run: runQuietly, say }

/** @returns what could not be installed: one package that is not to be had keeps none of the others away */
function aptInstall(packages, { run, say }) {
  const env = { ...process.env, ...ENV }
  say(`tandem: installing ${packages.join(', ')} for the tests …`)
  if (run('apt-get', ['update', '-qq'], { env, timeoutMs: 3 * MINUTE }) !== 0)
    say('tandem: apt-get update failed; trying with the lists at hand')
  const isInstalled = (...names) => {
    const args = ['install', '-y', '-qq', '--no-install-recommends', ...names]
    return run('apt-get', args, { env, timeoutMs: 5 * MINUTE }) === 0
  }
  if (isInstalled(...packages)) return []
  return packages.length === 1 ? packages : packages.filter((name) => !isInstalled(name))
}

/** Installs what is missing, where it can. `system` is what it does it with (tests). */
export function ensurePrograms(system = SYSTEM) {
  const isThere = (program) => [program, PROGRAMS[program].also].some((name) => name && system.isOnPath(name))
  const wanted = Object.keys(PROGRAMS).filter((program) => !isThere(program))
  if (wanted.length === 0) return
  const canInstall = system.isRoot() && system.isOnPath('apt-get')
  const packages = wanted.map((program) => PROGRAMS[program].package)
  const left = canInstall ? aptInstall(packages, system) : packages
  if (left.length === 0) return
  const missing = wanted.filter((program) => left.includes(PROGRAMS[program].package))
  system.say(
    `tandem: not installed: ${missing.join(', ')}. The suites that need them are skipped; install them with: apt-get install ${left.join(' ')}`,
  )
}
