// SPDX-License-Identifier: MIT
//
// Rules against fraud at accounts that send calls on: they count for the account that pays. Not tested here: the measures one by one.
import { afterEach, expect, test } from 'vitest'
import {
  answer,
  begin,
  calling,
  forwardingDocuments,
  hangUp,
  OUTSIDE_URI,
  POSTPAID,
} from '../charging/charging-fixture.ts'
import { outcomeOf, recordsOf } from '../policy-fixture.ts'
import { createFraudBench, type FraudBench, LISTED, REJECT, ruleOf } from './fraud-fixture.ts'

let open: FraudBench | undefined
afterEach(async () => {
  await open?.bench.stop()
  open = undefined
})

const HOUR = 3_600_000
const REFUSED = 'reject 480 forwarding_refused'

async function start(spec: object): Promise<FraudBench> {
  open = await createFraudBench([ruleOf('rule', { select: { accounts: ['fwd'] }, ...spec })], {
    accounts: { acme: {}, fwd: POSTPAID },
    documents: forwardingDocuments({
      away: { account: 'fwd', when: 'always' },
      busy: { account: 'fwd', when: 'busy' },
    }),
  })
  return open
}

const away = async ({ node }: FraudBench) => begin(node, 'acme', calling('away'))

test('concurrentCalls: of the account that sends on; its own phone answers, and there is room again', async () => {
  const at = await start({ measures: { concurrentCalls: { critical: { above: 1, ...REJECT } } } })
  const busy = await begin(at.node, 'acme', calling('busy'))
  expect(outcomeOf((await away(at)).decision)).toBe(REFUSED)
  expect(at.events).toMatchObject([{ subject: 'fwd', measure: 'concurrentCalls', value: 2n }])
  await answer(at.node, busy, 0, 'sip:busy@192.0.2.7')
  const next = await away(at)
  expect(outcomeOf(next.decision)).toBe('plan')
  await answer(at.node, next, 0, OUTSIDE_URI)
  await at.bench.pass(30 * 60_000)
  expect(outcomeOf((await away(at)).decision)).toBe(REFUSED)
  await hangUp(at.node, next)
  await at.bench.pass(250)
  expect(outcomeOf((await away(at)).decision)).toBe('plan')
})

test("an account that is blocked for what it sends on is that account, not the caller's", async () => {
  const blockAccount = { action: 'blockAccount', blockMs: HOUR }
  const at = await start({ measures: { callsPerWindow: { windowMs: HOUR, critical: { above: 1, ...blockAccount } } } })
  await away(at)
  expect(outcomeOf((await away(at)).decision)).toBe(REFUSED)
  expect(at.events).toMatchObject([{ account: 'fwd', action: 'blockAccount' }])
  const stateOf = async (name: string) => {
    const read = await at.bench.world.store.accounts.read(name, 0)
    return read.state === 'stored' && read.value.blockedUntilMs > 0
  }
  expect([await stateOf('fwd'), await stateOf('acme')]).toEqual([true, false])
})

test('spendPerWindow: of what that account has paid', async () => {
  const at = await start({ measures: { spendPerWindow: { windowMs: HOUR, critical: { above: 70_000, ...REJECT } } } })
  const call = await away(at)
  await answer(at.node, call, 0, OUTSIDE_URI)
  await at.bench.pass(50_000)
  await hangUp(at.node, call)
  await at.bench.pass(250)
  expect(outcomeOf((await away(at)).decision)).toBe(REFUSED)
})

test.each([
  { number: '+88234500', outcome: REFUSED, verdict: 'critical:rule:destinationList:reject' },
  { number: '+493012', outcome: 'plan', verdict: undefined },
])('a number on a list is not sent on, and the record says why: $number', async ({ number, outcome, verdict }) => {
  const document = (kind: string, metadata: object, spec: object) => ({ apiVersion: 'tandem/v1', kind, metadata, spec })
  open = await createFraudBench(
    [ruleOf('rule', { measures: { destinationList: { lists: ['irsf'], critical: REJECT } } })],
    {
      accounts: { acme: {}, fwd: POSTPAID },
      documents: [
        ...forwardingDocuments({}),
        document('NumberList', { name: 'irsf' }, { prefixes: [...(LISTED.irsf ?? [])] }),
        document(
          'Subscriber',
          { name: 'away', domain: 'pay.test' },
          { account: 'fwd', forwarding: { always: { number } } },
        ),
      ],
    },
  )
  expect(outcomeOf((await away(open)).decision)).toBe(outcome)
  const [record] = await recordsOf(open.bench.world.store.policy)
  expect(record?.facts?.fraudVerdict).toBe(verdict)
})
