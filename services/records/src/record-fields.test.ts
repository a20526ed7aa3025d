// SPDX-License-Identifier: MIT
//
// The table of fields: what each takes from a record, and that docs/records.md has the same table.
import { readFileSync } from 'node:fs'
import { records } from '@tandem/rpc'
import { expect, it } from 'vitest'
import { toLine } from './encode-line.ts'
import { RECORD_FIELDS } from './record-fields.ts'

const whole = records.CallRecord.fromPartial({
  cdrId: '0aXyZ.1',
  type: 'correction',
  corrects: '0aXyZ',
  correction: 'late_end',
  callRef: '0aXyZ',
  setupUnixMs: 1_700_000_000_000n,
  ringUnixMs: 1_700_000_000_700n,
  ratePlan: 'retail',
  rateRevision: 'r7',
  priceMicros: -12_500n,
  billedMs: 60_001n,
  edges: ['edge0.1', 'edge1.1'],
  media: 'audio',
  facts: { tenant: 'example.test', direction: 'outbound', dialled: '+4930', ingressTrunk: 'in', authMethod: 'ip' },
  answerer: { aor: 'sip:bob@example.test', userAgent: 'phone/2', transport: 'udp', address: '192.0.2.2', port: 5060 },
  forwards: [
    { account: 'bob', currency: 'EUR', priceMicros: 20_500n, billedMs: 60_000n, ratePlan: 'retail', ratePrefix: '+49' },
    { account: 'team' },
  ],
  attempts: [
    { target: 'sip:a@192.0.2.9', status: 503, provisionalStatus: 0 },
    { target: 'sip:b@192.0.2.2', status: 200, provisionalStatus: 180, trunk: 'out', startMs: 0, pddMs: 700, endMs: 9 },
  ],
})

it('takes every field from where it is', () => {
  expect(toLine('5/17-0', whole)).toMatchObject({
    id: '5/17-0',
    cdr_id: '0aXyZ.1',
    type: 'correction',
    corrects: '0aXyZ',
    correction: 'late_end',
    call_ref: '0aXyZ',
    tenant: 'example.test',
    direction: 'outbound',
    dialled: '+4930',
    callee: 'sip:bob@example.test',
    ingress_trunk: 'in',
    auth_method: 'ip',
    callee_address: '192.0.2.2',
    callee_port: 5060,
    callee_user_agent: 'phone/2',
    media: 'audio',
    pdd_ms: 700,
    price: '-0.012500',
    billsec: 61,
    rate_revision: 'r7',
    edges: ['edge0.1', 'edge1.1'],
    forwards: [
      { account: 'bob', price: '0.020500', currency: 'EUR', billsec: 60, unbilled_ms: 0, rate_prefix: '+49' },
      { account: 'team', price: null, billsec: 0 },
    ],
    attempts: [
      { trunk: '', status: 503, provisional_status: 0, start_ms: null, pdd_ms: null, end_ms: null },
      { trunk: 'out', status: 200, provisional_status: 180, start_ms: 0, pdd_ms: 700, end_ms: 9 },
    ],
  })
})

it('says of a record of an older version that it is a call', () => {
  const old = records.CallRecord.fromPartial({ cdrId: '0aXyZ' })
  const expected = {
    type: 'call',
    call_ref: '0aXyZ',
    tenant: '',
    callee: '',
    callee_port: 0,
    pdd_ms: null,
    price: null,
  }
  expect(toLine('1/1-0', old)).toMatchObject(expected)
})

it('has values of the kinds that it names, and null only where it may', () => {
  const types = {
    text: 'string',
    integer: 'number',
    time: 'string',
    decimal: 'string',
    texts: 'object',
    attempts: 'object',
    forwards: 'object',
  }
  for (const record of [whole, records.CallRecord.fromPartial({})]) {
    for (const { name, kind, isRequired, of } of RECORD_FIELDS) {
      const value = of(record, '1/1-0')
      if (value === null) expect([name, isRequired]).toEqual([name, false])
      else expect([name, typeof value]).toEqual([name, types[kind]])
    }
  }
})

it('is the table of docs/records.md', () => {
  const page = readFileSync(new URL('../../../docs/records.md', import.meta.url), 'utf8')
  const rows = RECORD_FIELDS.map(({ name, kind, doc }) => `| \`${name}\` | ${kind} | ${doc} |`)
  expect(page).toContain(rows.join('\n'))
})
