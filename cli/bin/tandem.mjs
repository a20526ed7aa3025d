#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// `npx tandem` in a checkout: the built command, under the project's own Node where the machine's is too old. It is a file
// of the checkout, with its executable bit, because npm links commands before anything is built. Images run dist/main.js.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ensureBuilt, ensureNode } from '../../scripts/bootstrap.mjs'

const main = new URL('../dist/main.js', import.meta.url)
await ensureNode(fileURLToPath(import.meta.url))
if (!existsSync(main)) ensureBuilt()
await import(main.href)
