// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest'
import { replaceBetween, resultTable } from './bench-table.mjs'

const round = (command, usPerCall) => ({
  command,
  usPerCall,
  userUs: 1,
  sysUs: 2,
  cps: 990,
  ok: 10,
  failed: 0,
  retransmissions: 0,
  rssMiB: 80,
})
const result = {
  when: '2026-01-02T03:04:05.000Z',
  commit: 'abc',
  node: 'v24',
  machine: '2 × x',
  kamailio: 'version: 5.6',
  rounds: [round('node main.js', 150), round('kamailio -f x', 140)],
  medianUsPerCall: [150, 140],
  ratio: 1.07,
  allCallsSucceeded: true,
}

describe('resultTable', () => {
  it('has a line for every round and the ratio', () => {
    const lines = resultTable(result).split('\n')
    expect(lines.filter((line) => line.startsWith('| Tandem'))).toHaveLength(1)
    expect(lines.filter((line) => line.startsWith('| Kamailio'))).toHaveLength(1)
    expect(lines.at(-1)).toBe('Medians 150 and 140 µs: ratio **1.07**. Every call succeeded.')
  })

  it('says so when it stands alone', () => {
    expect(resultTable({ ...result, medianUsPerCall: [150], ratio: undefined })).toContain('Median 150 µs.')
  })
})

describe('replaceBetween', () => {
  it('adds the markers once, then replaces what is between them and nothing else', () => {
    const first = replaceBetween('# Page\n\ntext\n', 'one')
    const second = replaceBetween(`${first}\nafter\n`, 'two')
    expect(first).toContain('one')
    expect(second).not.toContain('one')
    expect(second).toContain('# Page\n\ntext\n')
    expect(second.endsWith('\nafter\n')).toBe(true)
    expect(second.match(/bench:cpu-per-call begin/g)).toHaveLength(1)
  })
})
