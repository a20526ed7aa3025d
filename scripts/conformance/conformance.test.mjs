// SPDX-License-Identifier: MIT
//
// How CONFORMANCE.md comes about: which ids count in code and in titles, what is a gap, and the tree's own register.
import { describe, expect, it } from 'vitest'
import { ROOT } from '../bootstrap.mjs'
import { join } from './join.mjs'
import { renderPage } from './page.mjs'
import { codeRefs, testRefs, withoutIds } from './refs.mjs'
import { compareIds, readRegister } from './register.mjs'
import { sentencesBySection } from './rfc-text.mjs'

const register = (rows, problems = []) => ({
  rfcs: new Map([[9999, { rfc: 9999, title: 'T', sections: [{ section: '4.1', title: 'S', rows }] }]]),
  problems,
})
const row = (id, more = {}) => ({ id, level: 'MUST', role: 'proxy', text: 'does it', status: 'done', ...more })
const ref = (id, file = 'a.ts') => ({ id, file, title: 'a title', deviation: undefined })
const gapsOf = (rows, { code = [], tests = [] }) => join(register(rows), { code, tests }).gaps

describe('ids in code', () => {
  it('each once, deviations marked', () => {
    const text =
      '// [RFC9999-4.1.2] and [RFC9999-4.1.2], [RFC9999-5a]\n// DEVIATION[RFC9998-7.3]: because it\n// is so. More.\n'
    expect(codeRefs(text)).toEqual([
      { id: 'RFC9999-4.1.2', deviation: undefined },
      { id: 'RFC9999-5a', deviation: undefined },
      { id: 'RFC9998-7.3', deviation: 'because it is so' },
    ])
  })
})

describe('ids in tests', () => {
  const ids = (text) => testRefs(text).map(({ id }) => id)

  it.each([
    ['a title', "test('[RFC9999-4.1] says so', () => {})"],
    ['a describe', "describe('x [RFC9999-4.1]', () => {})"],
    ['a template', `it(\`\${name} [RFC9999-4.1]\`, () => {})`],
    ['an each title', "test.each(rows)('%s [RFC9999-4.1]', () => {})"],
    ['a condition', "describe.skipIf(none)('x [RFC9999-4.1]', () => {})"],
    ['cite', "const rows = [{ cite: 'RFC9999-4.1', text: 'x' }]"],
    ['the first cell', "test.each([['x [RFC9999-4.1]', 1]])('%s', () => {})"],
  ])('%s counts', (_name, text) => expect(ids(text)).toEqual(['RFC9999-4.1']))

  it.each([
    ['a comment', "// [RFC9999-4.1]\ntest('x', () => {})"],
    ['another string', "test('x', () => expect(y).toBe('RFC9999-4.1'))"],
    ['a skipped test', "test.skip('[RFC9999-4.1] x', () => {})"],
    ['a test in a skipped suite', "describe.skip('x', () => { test('[RFC9999-4.1]', () => {}) })"],
  ])('%s does not', (_name, text) => expect(ids(text)).toEqual([]))

  it('a row without words takes its name', () => {
    expect(testRefs("const rows = [{ cite: 'RFC9999-4.1', name: 'what it is' }]")).toEqual([
      { id: 'RFC9999-4.1', title: 'what it is' },
    ])
  })

  it.each([
    ['a table by its name', "const rows = [{ cite: 'RFC9999-4.1' }]\ntest.each(rows)('what holds [$cite]', () => {})"],
    ['a table in its place', "test.each([{ cite: 'RFC9999-4.1' }])('what holds [$cite]', () => {})"],
  ])('a row with nothing else takes the title over %s', (_name, text) => {
    expect(testRefs(text)).toEqual([{ id: 'RFC9999-4.1', title: 'what holds' }])
  })

  it('several letters of one item stand together', () => {
    expect(ids("test('x [RFC9999-4.1ac]', () => {})")).toEqual(['RFC9999-4.1a', 'RFC9999-4.1c'])
  })

  it('the page shows titles without ids', () => {
    expect(withoutIds('[RFC9999-4.1] MUST go [RFC9999-5, RFC9999-6ab]')).toBe('MUST go')
  })
})

describe('gaps', () => {
  it('none when code and test name the clause', () => {
    expect(gapsOf([row('RFC9999-4.1a')], { tests: [ref('RFC9999-4.1a')], code: [ref('RFC9999-4.1')] })).toEqual([])
  })

  it('the item stands for its only row, not for one of several', () => {
    expect(gapsOf([row('RFC9999-4.1a')], { tests: [ref('RFC9999-4.1')] })).toEqual([])
    expect(gapsOf([row('RFC9999-4.1a'), row('RFC9999-4.1b')], { tests: [ref('RFC9999-4.1')] })).toHaveLength(2)
  })

  it('a clause without a test', () => {
    expect(gapsOf([row('RFC9999-4.1')], {})).toEqual(['RFC9999-4.1: no test names it (does it)'])
  })

  it('not applicable needs none', () => {
    expect(gapsOf([row('RFC9999-4.1', { status: 'notApplicable', reason: 'a UA' })], {})).toEqual([])
  })

  it('an id that its chapter does not have; other chapters are only listed', () => {
    const { gaps, other } = join(register([row('RFC9999-4.1.2')]), {
      code: [ref('RFC9999-4'), ref('RFC9999-4.1.9'), ref('RFC9999-7.1')],
      tests: [ref('RFC9999-4.1.2')],
    })
    expect(gaps).toEqual(['a.ts: names RFC9999-4.1.9, which is not in the register'])
    expect(other.map(({ id }) => id)).toEqual(['RFC9999-7.1'])
  })
})

it('the page has each clause with its links', () => {
  const joined = join(register([row('RFC9999-4.1')]), {
    code: [ref('RFC9999-4.1', 'p/b.ts')],
    tests: [ref('RFC9999-4.1')],
  })
  expect(renderPage(joined)).toContain(
    '| RFC9999-4.1 | MUST | proxy | does it | [b.ts](p/b.ts) | [a.ts](a.ts): a title |',
  )
})

it('the page has deviations in one place, with their reasons', () => {
  const code = [{ ...ref('RFC9999-4.1', 'p/b.ts'), deviation: 'because' }]
  const joined = join(register([row('RFC9999-4.1')]), { code, tests: [ref('RFC9999-4.1')] })
  expect(renderPage(joined)).toContain('| RFC9999-4.1 | MUST | does it | [b.ts](p/b.ts): because |')
})

it('ids are ordered by their numbers', () => {
  expect(['RFC3261-16.10', 'RFC3261-16.7.6b', 'RFC3261-16.7.6a', 'RFC3261-16.7'].toSorted(compareIds)).toEqual([
    'RFC3261-16.7',
    'RFC3261-16.7.6a',
    'RFC3261-16.7.6b',
    'RFC3261-16.10',
  ])
})

it('sentences of a text are counted by section', () => {
  const text = '1. Introduction\n\n   It may.\n\n2.1.  Rules\n   It MUST do\n   this. It MUST NOT do that. It can.\n'
  expect(sentencesBySection(text)).toEqual(new Map([['2.1', ['It MUST do this.', 'It MUST NOT do that.']]]))
})

it('the register of this project is well-formed', () => {
  expect(readRegister(ROOT).problems).toEqual([])
})
