// SPDX-License-Identifier: MIT
//
// Held documents as YAML that applies again. Secrets stay masked: who applies it keeps what is held.
import { stringify } from 'yaml'
import type { Held } from './held.ts'

/** Whole documents, each with its separator. */
export const yamlOf = (held: readonly Pick<Held, 'text'>[]): string =>
  held.map(({ text }) => `---\n${stringify(JSON.parse(text), { lineWidth: 0, aliasDuplicateObjects: false })}`).join('')
