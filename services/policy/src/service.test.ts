// SPDX-License-Identifier: MIT
//
// The service as a whole: whatever comes in, something sensible goes out; resources are replaced under way; secrets stay
// inside; the error registry is the page that people read.
import { readFile } from 'node:fs/promises'
import { policy } from '@tandem/rpc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressOf, splitUri } from './decide/uri-parts.ts'
import { POLICY_ERRORS } from './errors.ts'
import {
  answerTo,
  authenticated,
  createWorld,
  decideOn,
  outcomeOf,
  rawDecide,
  reportTo,
  request,
  resourcesOf,
} from './policy-fixture.ts'

const world = await createWorld()

const noise = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.stringMatching(/^(sips?|tel|SIP|x):["<>@:;?%[\]a-b.]{0,20}$/),
  fc.constantFrom('sip:bob@example.test', '<sip:alice@example.test>', 'sip:[::1', '"', '<', 'sip:%', 'sip:@', '*'),
)
const credentials = fc.array(
  fc.record({
    proxy: fc.boolean(),
    value: fc.oneof(
      noise,
      noise.map(
        (text) => `Digest realm="example.test", nonce="${text}", uri="${text}", response="00", username="alice"`,
      ),
    ),
  }),
  { maxLength: 6 },
)
const anyRequest: fc.Arbitrary<policy.DecideRequest> = fc.record({
  transactionKey: noise,
  edgeId: noise,
  method: fc.oneof(fc.constantFrom('INVITE', 'REGISTER', 'OPTIONS', 'MESSAGE', 'ACK', 'CANCEL'), noise),
  requestUri: noise,
  from: noise,
  to: noise,
  callId: noise,
  fromTag: noise,
  cseq: fc.nat(),
  source: fc.option(fc.record({ transport: noise, address: noise, port: fc.nat(65_535) }), { nil: undefined }),
  credentials,
  userAgent: noise,
  assertedIdentities: fc.array(noise, { maxLength: 3 }),
  preferredIdentities: fc.array(noise, { maxLength: 3 }),
  privacy: noise,
  event: noise,
})

describe('whatever comes in', () => {
  test('a decision is made or refused, never thrown, and nobody gets in', async () => {
    const node = world.node()
    await fc.assert(
      fc.asyncProperty(anyRequest, async (asked) => {
        const result = await rawDecide(node, asked)
        expect(['done', 'refused']).toContain(result.outcome)
        if (result.outcome !== 'done') return
        expect(policy.DecideResponse.decode(policy.DecideResponse.encode(result.value).finish())).toEqual(result.value)
        expect(result.value.identity === '' || result.value.identity.endsWith('@believed.test')).toBe(true)
      }),
      { numRuns: 2_000 },
    )
    expect(node.counts.bugs).toBe(0)
    expect(node.counts.admits).toBe(0)
  })

  test('a report is taken or refused, never thrown', async () => {
    const node = world.node()
    await fc.assert(
      fc.asyncProperty(noise, fc.nat(), fc.boolean(), async (text, ageMs, isEnd) => {
        const call = policy.Call.create({ callId: text, fromTag: text })
        const event: policy.ReportRequest['event'] = isEnd
          ? { $case: 'ended', value: policy.Ended.create({ fromTag: text, toTag: text, by: text }) }
          : { $case: 'answered', value: policy.Answered.create({ toTag: text, status: 200 }) }
        const result = await reportTo(node, { callRef: text, call, event, ageMs })
        expect(['done', 'refused']).toContain(result.outcome)
      }),
      { numRuns: 500 },
    )
    expect(node.counts.bugs).toBe(0)
  })

  test('a handler that throws ends as a refusal, logged without the request', async () => {
    const own = await createWorld()
    const node = own.node({
      store: new Proxy(own.store.policy, {
        get: () => {
          throw new Error('broken')
        },
      }),
    })
    const asked = request()
    const secret = answerTo(await decideOn(node, asked), asked)
    const result = await rawDecide(node, { ...asked, credentials: [secret] })
    expect(result).toMatchObject({ outcome: 'refused', refusal: { code: 'internal', sipStatus: 500 } })
    expect(node.counts.bugs).toBe(1)
    expect(JSON.stringify(own.lines)).not.toContain('Digest')
  })
})

describe('addresses in text', () => {
  const URIS: readonly (readonly [string, string, string, string])[] = [
    ['sip:bob@h', 'sip', 'bob', 'h'],
    ['SIP:bob:pw@h:5060;lr?a=b', 'sip', 'bob', 'h'],
    ['sips:h', 'sips', '', 'h'],
    ['sip:[2001:db8::1]:5060', 'sip', '', '[2001:db8::1]'],
    ['sip:a;b=c@h;d', 'sip', 'a;b=c', 'h'],
    ['sip:%e9@h', 'sip', '%e9', 'h'],
    ['tel:+49', 'tel', '', ''],
    ['sip:', '', '', ''],
    ['sip:a@', '', '', ''],
    ['no uri', '', '', ''],
  ]
  test.each(URIS)('%s', (text, scheme, user, host) => {
    expect(splitUri(text)).toMatchObject({ scheme, user, host })
  })

  const VALUES: readonly (readonly [string, string])[] = [
    ['"A <sip:x@y> \\" B" <sip:a@h;p>;tag=1', 'sip:a@h;p'],
    ['sip:a@h;tag=1', 'sip:a@h'],
    [' Alice <sip:a@h>', 'sip:a@h'],
    ['"open <sip:a@h>', ''],
    ['<sip:a@h', ''],
    ['', ''],
  ]
  test.each(VALUES)('%s', (value, uri) => {
    expect(addressOf(value)).toBe(uri)
  })
})

describe('resources', () => {
  test('are replaced from the next decision on', async () => {
    const own = await createWorld()
    const node = own.node()
    expect(outcomeOf(await authenticated(node))).toBe('plan')
    const before = node.revision
    const less = (await resourcesOf()).resources.filter(({ metadata }) => metadata.name !== 'dave')
    node.replaceResources({ resources: less, secrets: new Map(), revision: 'other' })
    expect(node.revision).not.toBe(before)
    expect(outcomeOf(await authenticated(node))).toBe('challenge 407')
  })
})

describe('secrets', () => {
  test('neither passwords nor hashes are in anything that the service gives out', async () => {
    const own = await createWorld()
    const node = own.node()
    const given = [await decideOn(node, request()), await authenticated(node), node.counts, own.lines, node.feed]
    const text = JSON.stringify(given, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
    expect(text).not.toContain('alice-secret')
    expect(text).not.toContain('tests only')
  })
})

test('docs/policy.md lists every error code, and no other', async () => {
  const page = await readFile(new URL('../../../docs/policy.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `(\w+)` +\| (\d{3}) +\| (\w+) +\|/gm)].map(([, code, status, kind]) => ({
    code,
    status,
    kind,
  }))
  const expected = Object.entries(POLICY_ERRORS).map(([code, { sipStatus, kind }]) => ({
    code,
    status: String(sipStatus),
    kind,
  }))
  expect(rows).toEqual(expected)
})
