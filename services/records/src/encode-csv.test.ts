// SPDX-License-Identifier: MIT
//
// Cells and lines [RFC4180]. Files of them: files/rotated.test.ts.
import { records } from '@tandem/rpc'
import { describe, expect, it } from 'vitest'
import { csvFormat, csvLine, parseCsvKey } from './encode-csv.ts'
import { CSV_COLUMNS } from './encode-line.ts'

describe('csvLine', () => {
  it.each([
    ['plain', 'a b', 'a b'],
    ['a number', 12.5, '12.5'],
    ['nothing', null, ''],
    ['a comma', 'a,b', '"a,b"'],
    ['a quote', 'say "hi"', '"say ""hi"""'],
    ['a line feed, which becomes a space', 'a\r\nb', '"a b"'],
    ['a list', ['t"1'], '"[""t\\""1""]"'],
    ['a formula', '=HYPERLINK(A1)', "'=HYPERLINK(A1)"],
    ['a formula with a comma', '=A(1,2)', '"\'=A(1,2)"'],
    ['another beginning of a formula', '@SUM(1)', "'@SUM(1)"],
    ['a phone number', '+4930123456', '+4930123456'],
    ['a negative price', '-1.500000', '-1.500000'],
    ['what only begins like a number', '-2+cmd', "'-2+cmd"],
    ['a tab', '\tx', "'\tx"],
  ])('[RFC4180-2] %s', (_name, value, cell) => {
    expect(csvLine([value])).toBe(`${cell}\r\n`)
  })

  it('leaves formulas alone where that is set', () => {
    expect(csvLine(['=1+1'], false)).toBe('=1+1\r\n')
  })
})

describe('csvFormat', () => {
  const { header, encode } = csvFormat(CSV_COLUMNS, true)

  it.each([
    ['plain', '5/17-0', '0aXyZ'],
    ['odd', '5/"\n1,7-0', '=a,"b'],
    ['empty', '', ''],
  ])('one line, whose key is read back from its head: %s', (_name, id, cdrId) => {
    const line = encode(id, records.CallRecord.fromPartial({ cdrId, userAgent: 'x\ny', fromUri: 'sip:a,b@c' }))
    expect(line.indexOf('\n')).toBe(line.length - 1)
    expect(parseCsvKey(line.slice(0, 1_024))).toEqual({ id: id.replace('\n', ' '), cdrId })
  })

  it('has as many cells as the header, in its order', () => {
    expect(header.trimEnd().split(',')).toEqual(CSV_COLUMNS)
    const cells = encode('1/1-0', records.CallRecord.fromPartial({ cdrId: 'c', account: 'demo', finalStatus: 200 }))
    const at = (name: string) => cells.trimEnd().split(',')[CSV_COLUMNS.indexOf(name)]
    expect([at('id'), at('cdr_id'), at('account'), at('final_status')]).toEqual(['1/1-0', 'c', 'demo', '200'])
  })

  it.each(['', 'id,cdr_id,x', 'garbage', '"torn'])('no key in %j', (head) => {
    expect(parseCsvKey(head)).toBeUndefined()
  })
})
