// SPDX-License-Identifier: MIT
//
// `npm run images [-- --stand-ins]`: builds the images of the Dockerfile and starts the compose file, with calls through it (test/images;
// docs/operations/compose.md). Needs Docker with Compose. --stand-ins: bases and servers are made of Debian packages first, where nothing can be pulled.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, ensureNode, ROOT } from './bootstrap.mjs'
import { ensurePrograms } from './programs.mjs'

function run(args) {
  const env = { ...process.env, TANDEM_IMAGES: '1' }
  return spawnSync(process.execPath, args, { cwd: ROOT, env, stdio: 'inherit' }).status ?? 1
}

await ensureNode(join(ROOT, 'scripts', 'images.mjs'))
ensureInstalled()
ensurePrograms()
ensureBuilt()
const made = process.argv.includes('--stand-ins') ? run([join(ROOT, 'test/images/stand-ins.mjs')]) : 0
const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
process.exitCode = made || run([vitest, 'run', '--project', 'e2e', 'test/images'])
