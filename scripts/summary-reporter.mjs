// SPDX-License-Identifier: MIT
//
// Vitest reporter: counts, the reason of every skip, and what passed only when it ran again, as JSON in .cache/test-summary.json for scripts/test.mjs.
// A reason is the note of `context.skip('…')`, or what a suite's or test's title says in brackets: `redis (needs redis-server)`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const OUT = join(dirname(dirname(fileURLToPath(import.meta.url))), '.cache', 'test-summary.json')

const reasonOf = (test) => test.result().note ?? /\(((?:needs|skipped:) [^)]+)\)/.exec(test.fullName)?.[1] ?? ''

export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const summary = { passed: 0, failed: unhandledErrors.length, skipped: [], flaky: [] }
    for (const module of modules) this.addModule(summary, module)
    mkdirSync(dirname(OUT), { recursive: true })
    writeFileSync(OUT, JSON.stringify(summary))
  }

  addModule(summary, module) {
    let failedTests = 0
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      const name = `${module.relativeModuleId}: ${test.fullName}`
      if (test.diagnostic()?.flaky) summary.flaky.push(name)
      if (state === 'passed') summary.passed++
      else if (state === 'failed') failedTests++
      else summary.skipped.push({ name, reason: reasonOf(test) })
    }
    // A file that does not load, or a hook that throws, fails without a failed test.
    summary.failed += module.state() === 'failed' && failedTests === 0 ? 1 : failedTests
  }
}
