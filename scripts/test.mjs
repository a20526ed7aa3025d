// SPDX-License-Identifier: MIT
//
// `npm test`: bootstrap, the programs that suites drive (redis-server, SIPp), build, every suite. Arguments go to vitest.
// The last line is `N passed, N failed`; what was skipped, with its reason, and what was flaky stand before it.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, ensureNode, ROOT } from './bootstrap.mjs'
import { ensurePrograms } from './programs.mjs'

const SUMMARY = join(ROOT, '.cache', 'test-summary.json')

function readSummary() {
  if (!existsSync(SUMMARY)) return { passed: 0, failed: 0, skipped: [], flaky: [] }
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
const { passed, failed, skipped, flaky } = readSummary()
for (const { name, reason } of skipped) console.log(`skipped: ${name}: ${reason || 'NO REASON GIVEN'}`)
for (const name of flaky) console.log(`flaky, passed when it ran again: ${name}`)
// A run that broke without a failed test (a crash, an unhandled error, a skip without its reason) still counts as one failure.
const unexplained = skipped.filter(({ reason }) => !reason).length
const broken = status !== 0 && failed === 0 ? 1 : 0
const failures = failed + unexplained + broken
if (broken) console.log(`the test runner ended with status ${status} though no test failed`)
console.log(`${passed} passed, ${failures} failed`)
process.exitCode = failures === 0 ? 0 : 1
