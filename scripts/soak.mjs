// SPDX-License-Identifier: MIT
//
// `npm run soak [-- <calls>]`: bootstrap, then calls in memory until it is known whether memory stays flat (test/soak/run.ts).
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensureInstalled, ensureNode, ROOT } from './bootstrap.mjs'

await ensureNode(join(ROOT, 'scripts', 'soak.mjs'))
ensureInstalled()
const args = ['--conditions=@tandem/source', join(ROOT, 'test', 'soak', 'run.ts'), ...process.argv.slice(2)]
process.exitCode = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' }).status ?? 1
