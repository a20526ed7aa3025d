#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// The entry of the `tandem` command. A process that serves first gives itself the engine that suits a server, before it loads
// anything else; then command.ts does the work.
import { tuneEngine } from './engine.ts'

const [verb] = process.argv.slice(2)
if (verb === 'up' || verb === 'run') tuneEngine()
await import('./command.ts')
