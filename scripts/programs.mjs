// SPDX-License-Identifier: MIT
//
// Programs that suites drive and npm does not bring. As root on Debian or Ubuntu the missing ones are installed; elsewhere
// a line says what is missing, and the suites skip with their reason.
import { isOnPath, runQuietly, say } from './bootstrap.mjs'

/** Program on the PATH → Debian package that brings it. */
const PROGRAMS = { 'redis-server': 'redis-server', sipp: 'sip-tester' }
const MINUTE = 60_000
// A package must not start a server of its own on the port that tests or people use.
const ENV = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }

const SYSTEM = { isOnPath, isRoot: () => process.getuid?.() === 0, run: runQuietly, say }

function aptInstall(packages, { run, say }) {
  const env = { ...process.env, ...ENV }
  say(`tandem: installing ${packages.join(', ')} for the tests …`)
  if (run('apt-get', ['update', '-qq'], { env, timeoutMs: 3 * MINUTE }) !== 0)
    say('tandem: apt-get update failed; trying with the lists at hand')
  const args = ['install', '-y', '-qq', '--no-install-recommends', ...packages]
  return run('apt-get', args, { env, timeoutMs: 5 * MINUTE }) === 0
}

/** Installs what is missing, where it can. `system` is what it does it with (tests). */
export function ensurePrograms(system = SYSTEM) {
  const missing = Object.keys(PROGRAMS).filter((program) => !system.isOnPath(program))
  if (missing.length === 0) return
  const packages = missing.map((program) => PROGRAMS[program])
  if (system.isRoot() && system.isOnPath('apt-get') && aptInstall(packages, system)) return
  system.say(
    `tandem: not installed: ${missing.join(', ')}. The suites that need them are skipped; install them with: apt-get install ${packages.join(' ')}`,
  )
}
