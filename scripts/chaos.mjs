// SPDX-License-Identifier: MIT
//
// `npm run chaos [-- <options>]`: bootstrap and build, then calls while edges are killed (test/chaos/run.ts; docs/chaos.md).
// `npm run chaos:money [-- <options>]`: money while everything is killed (test/chaos/money/run.ts; docs/chaos.md).
// `npm run ops [-- <options>]`: what operators do while calls go on (test/ops/run.ts; docs/operations/restarts.md).
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, ensureNode, ROOT } from './bootstrap.mjs'
import { ensurePrograms } from './programs.mjs'

await ensureNode(join(ROOT, 'scripts', 'chaos.mjs'))
ensureInstalled()
ensurePrograms()
ensureBuilt()
const given = process.argv.slice(2)
const FILES = { money: 'chaos/money/run.ts', ops: 'ops/run.ts' }
const named = FILES[given[0]]
const [file, options] = named === undefined ? ['chaos/run.ts', given] : [named, given.slice(1)]
const args = ['--conditions=@tandem/source', join(ROOT, 'test', file), ...options]
process.exitCode = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' }).status ?? 1
