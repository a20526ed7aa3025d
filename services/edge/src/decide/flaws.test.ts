// SPDX-License-Identifier: MIT
// Does not test: what becomes of a flawed decision (decisions.test.ts), random ones (decisions-fuzz.test.ts).
import { policy } from '@tandem/rpc'
import { describe, expect, test } from 'vitest'
import { stepOf, targetOf } from '../testing.ts'
import { flawOf } from './flaws.ts'

type Verdict = NonNullable<policy.DecideResponse['verdict']>
const { ADD, REMOVE } = policy.HeaderEdit_Operation

const decided = (verdict: Verdict | undefined, callRef = ''): policy.DecideResponse => ({
  verdict,
  callRef,
  identity: '',
  account: '',
})
const plan = (value: Partial<policy.Plan>): Verdict => ({ $case: 'plan', value: policy.Plan.fromPartial(value) })
const uri = (value: string): policy.Target => targetOf({ $case: 'uri', value })
const bob = targetOf({ $case: 'aor', value: 'sip:bob@example.test' })
const to = (...targets: policy.Target[]): Verdict => plan({ steps: [stepOf({ targets })] })
const edit = (name: string, value: string, operation: policy.HeaderEdit_Operation = ADD): Verdict =>
  plan({ steps: [stepOf({ targets: [bob] })], edits: [{ operation, name, value }] })
const reject = (status: number, reason = ''): Verdict => ({
  $case: 'reject',
  value: policy.Reject.fromPartial({ status, reason }),
})
const challenge = (status: number, ...values: string[]): Verdict => ({ $case: 'challenge', value: { status, values } })
const admit = (value: Partial<policy.Admit>): Verdict => ({
  $case: 'admit',
  value: policy.Admit.fromPartial({ aor: 'sip:bob@example.test', ...value }),
})
const redirect = (...contacts: string[]): Verdict => ({ $case: 'redirect', value: { status: 302, contacts, aor: '' } })
const answer = (status: number): Verdict => ({ $case: 'answer', value: { status } })

describe('a decision that can be carried out', () => {
  test.each<[string, Verdict, string?]>([
    ['a plan to a user', to(bob), 'abcdefghijklmnopqrstuvwx'],
    ['a plan to nobody is an answer: 480 [RFC3261-16.5lm]', plan({})],
    ['garbage beside a URI that can be read', to(uri('nonsense'), uri('sip:gw@192.0.2.1;transport=tcp'))],
    ['an ordinary edit', edit('P-Asserted-Identity', '"Zoë" <sip:bob@example.test>')],
    ['the removal of a header of ours, which is passed over', edit('Via', '', REMOVE)],
    ['a rejection', reject(603, 'Not Today')],
    ['a challenge', challenge(407, 'Digest realm="a", nonce="b"', 'Bearer authz_server="https://a"')],
    ['an admission', admit({ minExpiresS: 60, maxExpiresS: 60, maxContacts: 100 })],
    ['a redirection', redirect('<sip:a@b>;q=0.5')],
    ['an answer', answer(200)],
  ])('%s', (_what, verdict, callRef) => {
    expect(flawOf(decided(verdict, callRef))).toBe('')
  })
})

describe('a decision that can not', () => {
  test.each<[string, Verdict | undefined, string]>([
    ['no verdict', undefined, 'no verdict that is known here'],
    ['only garbage for targets', to(uri('nonsense'), uri('tel:1'), uri('')), 'plan: no target that can be read'],
    ['a target that is nothing', to({ ...bob, where: undefined }), 'plan: no target that can be read'],
    ['a URI of two lines', to(uri('sip:a@b\r\nX: y')), 'plan: no target that can be read'],
    ['an address of two lines', to(targetOf({ $case: 'aor', value: 'sip:a@b\r\nX: y' })), 'target: aor'],
    ['an address that is none', to(targetOf({ $case: 'aor', value: '' })), 'target: aor'],
    ['thousands of targets', to(...Array.from({ length: 1_001 }, () => bob)), 'plan: number of targets'],
    [
      'very many steps',
      plan({ steps: Array.from({ length: 65 }, () => stepOf({ targets: [bob] })) }),
      'plan: number of steps',
    ],
    [
      'waves for weeks',
      plan({ steps: [stepOf({ targets: Array.from({ length: 30 }, () => bob), ringMs: 86_400_000, waveSize: 1 })] }),
      'plan: ring_ms',
    ],
    ['ringing for weeks', plan({ steps: [stepOf({ targets: [bob], ringMs: 0xffffffff })] }), 'plan: ring_ms'],
    [
      'a retarget of two lines',
      to({ ...bob, retarget: { from: 'sip:a@b>\r\nX: <', reason: 'unknown' } }),
      'target: retarget',
    ],
    ['a reason that is no token', to({ ...bob, retarget: { from: 'sip:a@b', reason: 'a;b' } }), 'target: retarget'],
    ['an edit of two lines', edit('Subject', 'a\r\nVia: b'), 'edit: value'],
    ['an edit with a bare LF', edit('Subject', 'a\nb'), 'edit: value'],
    ['an edit that Latin-1 makes a line end of', edit('Subject', 'a\u010ab'), 'edit: value'],
    ['a name with a colon', edit('Subject: a\r\nX', 'b'), 'edit: name'],
    ['a name of nothing', edit('', 'b'), 'edit: name'],
    ['a value of 8 KiB and one', edit('Subject', 'a'.repeat(8_193)), 'edit: value'],
    ...[
      'Via',
      'v',
      'FROM',
      't',
      'Call-ID',
      'i',
      'CSeq',
      'Route',
      'Record-Route',
      'Max-Forwards',
      'm',
      'Content-Length',
      'l',
    ].map((name): [string, Verdict, string] => [
      `an addition of ${name}`,
      edit(name, 'x'),
      `edit: ${name} is not a plan's to add`,
    ]),
    [
      'hundreds of edits',
      plan({ edits: Array.from({ length: 65 }, () => ({ operation: ADD, name: 'A', value: 'b' })) }),
      'plan: number of edits',
    ],
    ...[0, 99, 200, 302, 399, 700, 0xffffffff].map((status): [string, Verdict, string] => [
      `a rejection with ${status}`,
      reject(status),
      'reject: status',
    ]),
    ['a phrase of two lines', reject(403, 'No\r\nX: y'), 'reject: reason'],
    ['a phrase without end', reject(403, 'x'.repeat(201)), 'reject: reason'],
    ['a challenge with 400', challenge(400, 'Digest a="b"'), 'challenge: status'],
    ['a challenge of nothing', challenge(401), 'challenge: number of values'],
    ['a challenge of two lines', challenge(401, 'Digest a="b"\r\nX: y'), 'challenge: value'],
    ['an admission of nobody', admit({ aor: '' }), 'aor'],
    ['an admission of two lines', admit({ aor: 'sip:a@b\n' }), 'aor'],
    ['more contacts than there may be', admit({ maxContacts: 101 }), 'admit: max_contacts'],
    ['the shortest above the longest', admit({ minExpiresS: 2, maxExpiresS: 1 }), 'min_expires_s above max_expires_s'],
    ['a Contact of two lines', redirect('<sip:a@b>\r\nX: y'), 'redirect: contact'],
    [
      'hundreds of Contacts',
      redirect(...Array.from({ length: 101 }, () => '<sip:a@b>')),
      'redirect: number of contacts',
    ],
    ['an answer that is none', answer(100), 'answer: status'],
  ])('%s', (_what, verdict, flaw) => {
    expect(flawOf(decided(verdict))).toBe(flaw)
  })

  test.each(['x'.repeat(25), 'a.b', 'a\r\n', 'ä'])('a reference that no token can hold: %j', (callRef) => {
    expect(flawOf(decided(to(bob), callRef))).toBe('call_ref')
  })
})
