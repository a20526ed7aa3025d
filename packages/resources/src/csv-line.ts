// SPDX-License-Identifier: MIT
//
// One line of a CSV file into fields (RFC 4180 without line breaks in fields).

/** What is wrong with a line; caught where lines are counted. */
export class BadLine extends Error {}

export const badLine = (expected: string): never => {
  throw new BadLine(expected)
}

const QUOTED: ReadonlyMap<string, RegExp> = new Map(
  [',', ';', '\t', '|'].map((delimiter) => {
    const literal = delimiter === '|' ? '\\|' : delimiter
    return [delimiter, new RegExp(`[ ]*(?:"((?:[^"]|"")*)"[ ]*|([^"${delimiter}]*))(${literal}|$)`, 'y')]
  }),
)

/** @param delimiter one of `,` `;` tab `|` */
export function splitLine(line: string, delimiter = ','): string[] {
  if (!line.includes('"')) return line.split(delimiter).map((field) => field.trim())
  const fields: string[] = []
  const pattern = QUOTED.get(delimiter) ?? badLine('expected a known delimiter')
  pattern.lastIndex = 0
  for (;;) {
    const match = pattern.exec(line) ?? badLine('expected fields between delimiters, quoted ones closed')
    fields.push(match[1]?.replaceAll('""', '"') ?? (match[2] ?? '').trim())
    if (match[3] === '') return fields
  }
}
