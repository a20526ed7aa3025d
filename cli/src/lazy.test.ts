// SPDX-License-Identifier: MIT
//
// What `tandem --help` and a misspelt verb load: a parser of arguments, and nothing of the cluster. Followed through the sources.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** `import { a } from 'x'`, `export … from 'x'`; not `import type`, and not `import('x')`. */
const STATIC = /^(?:import|export)\s+(?!type\b)[^'"()]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm

/** `import { type A, type B } from 'x'` loads nothing either. */
const isOnlyTypes = (statement: string): boolean => {
  const names = /\{([^}]*)\}/
    .exec(statement)?.[1]
    ?.split(',')
    .map((name) => name.trim())
  return (
    names !== undefined && !statement.includes('* as') && names.filter(Boolean).every((name) => /^type\s/.test(name))
  )
}

function loadedBy(file: URL, seen = new Set<string>(), packages = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file.href)) return packages
  seen.add(file.href)
  for (const [statement, from, bare] of readFileSync(file, 'utf8').matchAll(STATIC)) {
    const name = from ?? bare ?? ''
    if (isOnlyTypes(statement)) continue
    if (name.startsWith('.')) loadedBy(new URL(name, file), seen, packages)
    else packages.add(name)
  }
  return packages
}

test('no verb loads what another one needs', () => {
  const loaded = loadedBy(new URL('command.ts', import.meta.url))
  expect([...loaded].filter((name) => !name.startsWith('node:'))).toEqual(['commander'])
})

test('a verb that asks the cluster loads no schemas of resources', () => {
  const loaded = [
    ...loadedBy(new URL('admin/locate.ts', import.meta.url)),
    ...loadedBy(new URL('settings.ts', import.meta.url)),
  ]
  expect(loaded).toContain('@tandem/rpc')
  expect(loaded).not.toContain('@tandem/resources')
  expect(loaded).not.toContain('@tandem/policy')
})
