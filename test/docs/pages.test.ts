// SPDX-License-Identifier: MIT
//
// The pages that people write: links lead somewhere, and docs/errors.md names each registry.
// Not tested: links to other sites; anchors into code.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const PAGES = [...globSync('*.md', { cwd: ROOT }), ...globSync('docs/**/*.md', { cwd: ROOT })].sort()

const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8')
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '')

/** `[text](target)`: targets inside the project. */
function linksOf(page: string): string[] {
  const found = withoutCode(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)
  return [...found].map(([, target]) => target as string).filter((target) => !/^[a-z]+:/.test(target))
}

/** Anchors as GitHub makes them of headings. */
function anchorsOf(page: string): Set<string> {
  const headings = textOf(page)
    .replace(/^```[\s\S]*?^```/gm, '')
    .matchAll(/^#+ (.+)$/gm)
  const anchor = (heading: string): string =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
  return new Set([...headings].map(([, heading]) => anchor(heading as string)))
}

function isDead(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path))
  if (!existsSync(join(ROOT, target))) return true
  return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(anchor)
}

describe('pages', () => {
  it.each(PAGES)('%s has no dead link', (page) => {
    expect(linksOf(page).filter((link) => isDead(page, link))).toEqual([])
  })

  it('are all reached from docs/README.md', () => {
    const index = linksOf('docs/README.md').map((link) => join('docs', link.split('#')[0] as string))
    const reached = new Set([
      ...index,
      ...index.filter((page) => /(errors|alerts)\.md$/.test(page)).flatMap(pagesBehind),
    ])
    expect(PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md' && !reached.has(page))).toEqual(
      [],
    )
  })
})

const pagesBehind = (page: string): string[] =>
  linksOf(page).map((link) => join(dirname(page), link.split('#')[0] as string))

const PACKAGES = globSync('{packages,services}/*/src/errors.ts', { cwd: ROOT }).map((file) => dirname(dirname(file)))

describe('docs/errors.md', () => {
  it.each(PACKAGES)('names the registry of %s', (name) => {
    expect(textOf('docs/errors.md')).toContain(`| \`${name}\` |`)
  })
})
