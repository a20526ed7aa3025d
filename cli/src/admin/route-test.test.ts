// SPDX-License-Identifier: MIT
//
// The tree that `tandem route-test` prints.
import { policy } from '@tandem/rpc'
import { expect, it } from 'vitest'
import { routeText } from './route-test.ts'

it('shows why, where, at what price, and what would refuse it', () => {
  const answer = policy.RouteTestResponse.fromPartial({
    caller: 'sip:alice@example.test',
    account: 'office',
    dialled: '+4930123',
    verdict: 'plan',
    reasons: [
      { resource: 'Route/germany', text: 'is the longest match for +4930123: +49', depth: 0 },
      { resource: 'Trunk/local', text: 'tries its hosts', depth: 1 },
    ],
    targets: [
      {
        step: 0,
        target: 'sip:030123@local.example\u0007',
        trunk: 'local',
        ringMs: 30_000,
        price: { currency: 'EUR', rate: '0.06/min 60/60', prefix: '+49' },
        cost: { currency: 'EUR', rate: '0.006/min 1/1' },
      },
    ],
    refusals: [{ status: 402, code: 'credit_exhausted', text: 'the balance does not pay for it' }],
  })
  expect(routeText(answer)).toBe(
    [
      'caller sip:alice@example.test, account office, called +4930123',
      '',
      'why',
      '  Route/germany: is the longest match for +4930123: +49',
      '    Trunk/local: tries its hosts',
      '',
      'tried one after another',
      '  1. sip:030123@local.example·, by local, rings 30 s, price 0.06/min 60/60 EUR (+49), cost 0.006/min 1/1 EUR',
      '',
      'would be refused',
      '  402 credit_exhausted: the balance does not pay for it',
      '',
      'verdict: plan, refused with 402',
    ].join('\n'),
  )
})
