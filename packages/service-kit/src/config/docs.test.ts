// SPDX-License-Identifier: MIT
//
// The page and the schema are one; so are the schema's own promises about names and descriptions.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { configurationPage } from './docs.ts'
import { leaves } from './leaves.ts'

describe('docs/reference/configuration.md', () => {
  it('is what the schema says: run `npm run generate` after a change', () => {
    const page = new URL('../../../../docs/reference/configuration.md', import.meta.url)
    expect(readFileSync(page, 'utf8')).toBe(configurationPage())
  })
})

describe('settings', () => {
  it('are all described, with environment names of their own', () => {
    const all = leaves()
    expect(all.length).toBeGreaterThan(40)
    expect(all.filter((leaf) => !leaf.description.endsWith('.')).map((leaf) => leaf.path.join('.'))).toEqual([])
    expect(new Set(all.map((leaf) => leaf.env)).size).toBe(all.length)
  })

  it('have no name that Kubernetes makes for the services of the chart', () => {
    const made = /^TANDEM_(EDGE|LOCATION|POLICY|RECORDS)_(SERVICE_.*|PORT|PORT_.*)$/
    expect(leaves().filter((leaf) => made.test(leaf.env))).toEqual([])
  })
})
