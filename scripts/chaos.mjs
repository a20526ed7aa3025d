// SPDX-License-Identifier: MIT
//
// `npm run chaos [-- <options>]`: bootstrap and build, then calls while edges are killed (test/chaos/run.ts; docs/chaos.md).
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, ensureNode, ROOT } from './bootstrap.mjs'
import { ensurePrograms } from './programs.mjs'

await ensureNode(join(ROOT, 'scripts', 'chaos.mjs'))
ensureInstalled()
ensurePrograms()
ensureBuilt()
const args = ['--conditions=@tandem/source', join(ROOT, 'test', 'chaos', 'run.ts'), ...process.argv.slice(2)]
process.exitCode = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' }).status ?? 1
