// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { RPC_ERRORS } from './errors.ts'

const page = readFileSync(new URL('../../../docs/rpc.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `(\w+)`\s*\| (\w+)\s*\| (\d{3})\s*\| (.+?)\s*\|$/gm)]

describe('RPC_ERRORS', () => {
  it('is the table of docs/rpc.md, both ways', () => {
    const documented = rows.map(([, code, outcome, sipStatus, meaning]) => ({ code, outcome, sipStatus, meaning }))
    const registered = Object.entries(RPC_ERRORS).map(([code, { outcome, sipStatus, meaning }]) => ({
      code,
      outcome,
      sipStatus: String(sipStatus),
      meaning,
    }))
    expect(documented).toEqual(registered)
  })
})
