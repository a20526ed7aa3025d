// SPDX-License-Identifier: MIT
//
// `npm test`: bootstrap, the programs that suites drive (redis-server, SIPp), build, every suite. Arguments go to vitest.
// The last line is `N passed, N failed`; what was skipped stands before it with its reason.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, ensureNode, isOnPath, ROOT, runQuietly, say } from './bootstrap.mjs'

/** Program on the PATH → Debian package that brings it. */
const PROGRAMS = { 'redis-server': 'redis-server', sipp: 'sip-tester' }
const SUMMARY = join(ROOT, '.cache', 'test-summary.json')
const MINUTE = 60_000

const canApt = () => process.getuid?.() === 0 && isOnPath('apt-get')

function aptInstall(packages) {
  // The package must not start a server of its own on the port that tests or people use.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const install = () =>
    runQuietly('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], {
      env,
      timeoutMs: 5 * MINUTE,
    })
  say(`tandem: installing ${packages.join(', ')} for the tests …`)
  if (runQuietly('apt-get', ['update', '-qq'], { env, timeoutMs: 3 * MINUTE }) !== 0)
    say('tandem: apt-get update failed; trying with the lists at hand')
  return install() === 0
}

function ensurePrograms() {
  const missing = Object.keys(PROGRAMS).filter((program) => !isOnPath(program))
  if (missing.length === 0) return
  const packages = missing.map((program) => PROGRAMS[program])
  if (canApt() && aptInstall(packages)) return
  say(
    `tandem: not installed: ${missing.join(', ')}. The suites that need them are skipped; install them with: apt-get install ${packages.join(' ')}`,
  )
}

function readSummary() {
  if (!existsSync(SUMMARY)) return { passed: 0, failed: 0, skipped: [] }
  return JSON.parse(readFileSync(SUMMARY, 'utf8'))
}

function runVitest() {
  rmSync(SUMMARY, { force: true })
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')
  const reporters = ['--reporter=default', `--reporter=${join(ROOT, 'scripts', 'summary-reporter.mjs')}`]
  const result = spawnSync(process.execPath, [vitest, 'run', ...reporters, ...process.argv.slice(2)], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return result.status ?? 1
}

await ensureNode(join(ROOT, 'scripts', 'test.mjs'))
ensureInstalled()
ensurePrograms()
ensureBuilt()
const status = runVitest()
const { passed, failed, skipped } = readSummary()
for (const { name, reason } of skipped) console.log(`skipped: ${name}: ${reason || 'NO REASON GIVEN'}`)
// A run that broke without a failed test (a crash, an unhandled error, a skip without its reason) still counts as one failure.
const unexplained = skipped.filter(({ reason }) => !reason).length
const broken = status !== 0 && failed === 0 ? 1 : 0
const failures = failed + unexplained + broken
if (broken) console.log(`the test runner ended with status ${status} though no test failed`)
console.log(`${passed} passed, ${failures} failed`)
process.exitCode = failures === 0 ? 0 : 1
