// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest'
import { render, renderTable } from './output.ts'

describe('renderTable', () => {
  it('aligns columns and leaves no trailing blanks', () => {
    const text = renderTable(['part', 'port'], [{ part: 'edge-0', port: 5060 }, { part: 'x' }])
    expect(text).toBe('PART    PORT\nedge-0  5060\nx')
  })

  it('shows control characters instead of sending them to the terminal', () => {
    expect(renderTable(['a'], [{ a: 'x\u001b[31m\ny' }])).toBe('A\nx·[31m·y')
  })
})

describe('render', () => {
  const data = [{ at: 5n, name: 'a' }]
  it.each([
    ['json', '[\n  {\n    "at": 5,\n    "name": "a"\n  }\n]'],
    ['yaml', '- at: 5\n  name: a'],
    ['table', 'NAME\na'],
  ] as const)('%s', (format, text) => {
    expect(render(format, data, ['name'], [{ name: 'a' }])).toBe(text)
  })
})
