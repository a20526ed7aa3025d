// SPDX-License-Identifier: MIT
//
// `npm start`: bootstrap, then `tandem up` on the quick start's file; flags are passed on, `--config` among them.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureBuilt, ensureInstalled, ensureNode, ROOT } from './bootstrap.mjs'

await ensureNode(import.meta.filename ?? join(ROOT, 'scripts', 'start.mjs'))
ensureInstalled()
ensureBuilt()

const flags = process.argv.slice(2)
const hasConfig = flags.some((flag) => flag === '--config' || flag.startsWith('--config='))
const config = hasConfig ? [] : ['--config', join(ROOT, 'examples', 'quickstart.yaml')]
const main = join(ROOT, 'cli', 'dist', 'main.js')
process.argv = [process.execPath, main, 'up', ...config, ...flags]
process.chdir(ROOT)
await import(pathToFileURL(main).href)
