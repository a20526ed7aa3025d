// SPDX-License-Identifier: MIT
//
// Continuous integration: each check counts as one, `npm test` with its own counts. Every check runs, whatever failed before
// it. `node scripts/ci.mjs --only lint,knip` runs some. Every scripts/check-*.mjs is a check too.
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ensureInstalled, ensureNode, findNpmCli, ROOT } from './bootstrap.mjs'

const bin = (name) => join(ROOT, 'node_modules', '.bin', name)
const node = process.execPath

function checks() {
  const scripts = readdirSync(join(ROOT, 'scripts')).filter((name) => /^check-.*\.mjs$/.test(name))
  return [
    ['format and lint', [bin('biome'), 'check', '--error-on-warnings', '--max-diagnostics=50', '.']],
    ['type check', [bin('tsc'), '-p', 'tsconfig.check.json']],
    ['promise lint', [bin('eslint'), '--max-warnings=0', '.']],
    [
      'dependency rules',
      [bin('depcruise'), '--config', '.dependency-cruiser.mjs', 'packages', 'services', 'cli', 'test'],
    ],
    ['dead code', [bin('knip'), '--no-progress']],
    ['proto lint', [bin('buf'), 'lint']],
    // Versions N and N−1 run side by side: what one writes the other reads (docs/operations/upgrade.md says how the file is made).
    ['proto compatibility', [bin('buf'), 'breaking', '--against', 'proto/released.binpb']],
    ['docs drift', [node, '--conditions=@tandem/source', join('scripts', 'generate.mjs'), '--check']],
    ...scripts.map((name) => [name.replace(/\.mjs$/, ''), [node, join('scripts', name)]]),
  ]
}

function isGreen([name, [command, ...args]]) {
  const began = Date.now()
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 600_000,
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const took = ((Date.now() - began) / 1000).toFixed(1)
  if (status !== 0) console.log(`${stdout}${stderr}`.trimEnd())
  console.log(`${status === 0 ? 'ok' : 'FAILED'}: ${name} (${took} s)`)
  return status === 0
}

/** Runs `npm test`, shows its output, and returns the counts of its last line. */
function runTests() {
  return new Promise((resolve) => {
    const child = spawn(node, [findNpmCli(), 'test', '--silent'], {
      cwd: ROOT,
      env: { ...process.env, CI: 'true' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let tail = ''
    child.stdout.on('data', (chunk) => {
      process.stdout.write(chunk)
      tail = (tail + chunk).slice(-4_000)
    })
    child.on('close', (code) => {
      const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(tail) ?? [undefined, 0, 1]
      resolve({ passed: Number(passed), failed: Math.max(Number(failed), code === 0 ? 0 : 1) })
    })
  })
}

await ensureNode(join(ROOT, 'scripts', 'ci.mjs'))
ensureInstalled()
const only = process.argv[2] === '--only' ? (process.argv[3] ?? '').split(',') : undefined
const wanted = (name) => only === undefined || only.some((word) => name.includes(word))
const results = checks()
  .filter(([name]) => wanted(name))
  .map(isGreen)
const tests = wanted('npm test') ? await runTests() : { passed: 0, failed: 0 }
const passed = tests.passed + results.filter(Boolean).length
const failed = tests.failed + results.filter((green) => !green).length
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
