// SPDX-License-Identifier: MIT
//
// Writes docs/configuration.md from the schema. Run by `npm run generate`, from sources (`--conditions=@tandem/source`).
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configurationPage } from '@tandem/service-kit/internal'
import { ROOT } from './bootstrap.mjs'

writeFileSync(join(ROOT, 'docs', 'configuration.md'), configurationPage())
