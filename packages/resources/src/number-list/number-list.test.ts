// SPDX-License-Identifier: MIT
//
// Which prefix of a list a number has, files of many shapes, and what is refused.
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { describeProblem } from '../errors.ts'
import { loadResources } from '../load.ts'
import { document, indexOf, problemsOf } from '../testing.ts'
import { NumberTable } from './number-table.ts'
import { rangePrefixes } from './ranges.ts'

const list = (spec: object) => document('NumberList', { name: 'irsf' }, spec)

describe('a table of prefixes', () => {
  test.each([
    ['+4930123', '+4930'],
    ['+49301', '+49301'.slice(0, 5)],
    ['+4931', '+49'],
    ['+48', undefined],
    ['4930', undefined],
    ['09001234', '0900'],
    ['110', '110'],
    ['11', undefined],
    ['', undefined],
    ['+', undefined],
    ['+12345678901234567', '+123456789012345'],
  ])('the longest prefix of %j is %s', (number, expected) => {
    const table = new NumberTable()
    for (const prefix of ['+49', '+4930', '0900', '110', '+123456789012345']) table.add(prefix)
    expect(table.match(number)).toBe(expected)
  })

  test('leading zeros are digits: +0 is not +00, and a prefix is there once', () => {
    const table = new NumberTable()
    expect(table.add('+490', 'DE', 'a')).toBe(true)
    expect(table.add('+490', 'DE', 'b')).toBe(false)
    expect(table.add('+4900', '', '')).toBe(true)
    expect(table.size).toBe(2)
    expect(table.match('+4901')).toBe('+490')
    expect(table.noteOf('+490')).toEqual({ country: 'DE', category: 'a' })
    expect(table.noteOf('+4900')).toEqual({ country: '', category: '' })
    expect(table.noteOf('+491')).toBeUndefined()
  })

  test('a million prefixes are found, each its own, and take little room and time', () => {
    const table = new NumberTable()
    for (let i = 0; i < 1_000_000; i++) table.add(`+${371_000_000 + i * 7}`, 'LV', i % 2 === 0 ? 'irsf' : 'premium')
    expect(table.size).toBe(1_000_000)
    const started = performance.now()
    let found = 0
    for (let i = 0; i < 100_000; i++)
      if (table.match(`+${371_000_000 + i * 70}99`) === `+${371_000_000 + i * 70}`) found++
    const missed = table.match('+371000001')
    expect(found).toBe(100_000)
    expect(missed).toBeUndefined()
    // A scan of the list would take hours.
    expect(performance.now() - started).toBeLessThan(5_000)
  })
})

test.each([
  ['+4900', '+4999', ['+49']],
  ['+491900', '+491909', ['+49190']],
  ['+491', '+491', ['+491']],
  ['+4998', '+5001', ['+4998', '+4999', '+5000', '+5001']],
  ['0900', '0919', ['090', '091']],
  ['+0098', '+0101', ['+0098', '+0099', '+0100', '+0101']],
  ['+4909', '+4901', undefined],
  ['+49', '+500', undefined],
])('the range %s to %s as prefixes', (first, last, expected) => {
  expect(rangePrefixes(first, last)).toEqual(expected)
})

test('prefixes stand in the resource, alone or with country and category', async () => {
  const index = await indexOf(
    list({
      category: 'premium',
      prefixes: ['+49900', { prefix: '+882', country: 'XG', category: 'satellite' }, '0900'],
    }),
  )
  const table = index.lists.get('irsf')
  expect(table?.match('+499001234')).toBe('+49900')
  expect(table?.noteOf('+49900')).toEqual({ country: '', category: 'premium' })
  expect(table?.noteOf('+882')).toEqual({ country: 'XG', category: 'satellite' })
  expect(table?.match('0900123')).toBe('0900')
})

async function loadCsv(csv: string, more: object = {}, spec: object = {}) {
  const baseDir = await mkdtemp(join(tmpdir(), 'list-'))
  await writeFile(join(baseDir, 'list.csv'), csv)
  return loadResources([list({ import: { file: 'list.csv', ...more }, ...spec })], { baseDir, env: {} })
}

async function tableOf(csv: string, more: object = {}, spec: object = {}) {
  const loaded = await loadCsv(csv, more, spec)
  if (!loaded.ok) throw new Error(loaded.problems.map(describeProblem).join('\n'))
  const table = loaded.set.lists?.get('irsf')
  if (table === undefined) throw new Error('there is no list')
  return table
}

test.each([
  ['the plain form', 'prefix,country,category\n252,SO,irsf\n'],
  ['names of a test-number list', 'Country,Test Number,Type\nSO,+252,irsf\n'],
  ['semicolons, a BOM and CRLF', '\uFEFFPrefix;Country;Category\r\n252;so;irsf\r\n'],
  ['tabs', 'number\tcountry\ttype\n00252\tSO\tirsf\n'],
  ['no names at all', '252,SO,irsf\n'],
  ['quotes, spaces, remarks and empty lines', '# of today\n\n"prefix" , country, category\n" 2 5-2 ","SO","irsf"\n'],
  ['X for the last digits', 'code,country,category\n252XX,SO,irsf\n'],
  ['a range', 'range start,range end,iso,service\n25200,25299,SO,irsf\n'],
])('a file is read: %s', async (_, csv) => {
  const table = await tableOf(csv)
  expect([table.size, table.match('+2521234'), table.noteOf('+252')]).toEqual([
    1,
    '+252',
    { country: 'SO', category: 'irsf' },
  ])
})

test('columns are named by the resource, last digits are cut, and local numbers stay local', async () => {
  const columns = { prefix: 'Rufnummer', category: 'Art' }
  const table = await tableOf(
    'Rufnummer,prefix,Art\n+252 1234 567,x,\n',
    { columns, dropDigits: 3 },
    { category: 'irsf' },
  )
  expect(table.match('+2521234999')).toBe('+2521234')
  expect(table.noteOf('+2521234')).toEqual({ country: '', category: 'irsf' })
  const local = await tableOf('prefix\n0900\n+49900\n', { e164: false })
  expect([local.match('0900123'), local.match('+499001')]).toEqual(['0900', '+49900'])
})

test('a file joins the prefixes of the resource, and its content counts for the revision', async () => {
  const table = await tableOf('prefix\n252\n252\n', {}, { prefixes: ['+882'] })
  expect([table.size, table.match('+8821'), table.match('+2521')]).toEqual([2, '+882', '+252'])
  const [one, other] = [await loadCsv('prefix\n252\n'), await loadCsv('prefix\n253\n')]
  expect(one.ok && other.ok && one.set.revision !== other.set.revision).toBe(true)
})

test.each([
  ['a word for a number', 'prefix\n252\nnobody\n', {}, 3, 'found nobody'],
  ['a number as a spreadsheet spoils it', 'prefix\n2.52E+11\n', {}, 2, 'found 2.52E+11'],
  ['too many digits', 'prefix\n1234567890123456\n', {}, 2, '2 to 15 digits'],
  ['nothing left of the digits', 'prefix\n252\n', { dropDigits: 3 }, 2, '2 to 15 digits'],
  ['a field too few', 'prefix,country\n252\n', {}, 2, 'expected 2 fields, found 1'],
  ['a range downwards', 'from,to\n25299,25200\n', {}, 2, 'a range of numbers'],
  ['no column of numbers', 'country,category\nSO,irsf\n', {}, 1, 'a column of numbers'],
  ['a column that is not there', 'prefix\n252\n', { columns: { prefix: 'Nummer' } }, 1, 'a column Nummer'],
  ['an open quote', 'prefix,country\n"252,SO\n', {}, 2, 'quoted ones closed'],
  ['an empty file', '\n# nothing\n', {}, 1, 'a line with a number'],
])('a broken line has its number, and nothing is applied: %s', async (_, csv, more, line, expected) => {
  const loaded = await loadCsv(csv, more)
  if (loaded.ok) throw new Error('expected problems')
  expect(loaded.problems).toHaveLength(1)
  expect(loaded.problems[0]).toMatchObject({ line })
  expect(loaded.problems[0]?.expected).toContain(expected)
  expect(loaded.problems[0]?.file).toContain('list.csv')
})

test.each([
  ['nothing listed', {}, /prefixes, import or both/],
  ['a prefix that is none', { prefixes: ['49x'] }, /prefixes/],
])('is refused: %s', async (_, spec, expected) => {
  expect((await problemsOf(list(spec))).join('\n')).toMatch(expected)
})
