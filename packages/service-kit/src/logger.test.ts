// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest'
import { createLogger, redactUrl } from './logger.ts'

function capture() {
  const lines: string[] = []
  const logger = createLogger({ level: 'info', service: 'test', sink: { write: (line) => lines.push(line) } })
  return { lines, logger }
}

describe('createLogger', () => {
  it.each([
    ['at the top', { password: 'hush-hush' }],
    ['one deep', { user: { ha1: 'hush-hush' } }],
    ['two deep', { a: { b: { authorization: 'hush-hush' } } }],
    ['a key ring', { config: { keyRing: [{ secret: 'hush-hush' }] } }],
  ])('redacts %s', (_name, fields) => {
    const { lines, logger } = capture()
    logger.info(fields, 'x')
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain('hush-hush')
    expect(lines[0]).toContain('[redacted]')
  })

  it('writes JSON with service, level and time, and nothing below its level', () => {
    const { lines, logger } = capture()
    logger.debug('no')
    logger.warn({ port: 1 }, 'yes')
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] as string)).toMatchObject({ level: 'warn', service: 'test', port: 1, msg: 'yes' })
  })
})

describe('redactUrl', () => {
  it.each([
    ['memory', 'memory'],
    ['redis://127.0.0.1:6379/0', 'redis://127.0.0.1:6379/0'],
    ['redis://user:pa:ss@host:1', 'redis://host:1'],
    ['redis-sentinel://:secret@a,b/name?password=x', 'redis-sentinel://a,b/name'],
    ['rediss://user:p@ss@host/1', 'rediss://host/1'],
  ])('%s → %s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown)
  })
})
