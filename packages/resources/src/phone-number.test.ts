// SPDX-License-Identifier: MIT
//
// Telephone numbers: read, compared, and found in domains.
import { describe, expect, test } from 'vitest'
import { canonicalNumber, dialledNumber, numberPlan, parsePhoneNumber } from './phone-number.ts'
import { planNumber } from './plan.ts'
import { domainOfNumber, findDomain, findUser } from './resource-index.ts'
import { document, domain, indexOf, problemsOf, subscriber } from './testing.ts'

describe('telephone numbers', () => {
  const NUMBERS = [
    ['+1-201-555-0123', { number: '+12015550123', context: '' }],
    ['+1(201)555.0123;isub=12;ext=4', { number: '+12015550123', context: '' }],
    ['7042;phone-context=Example.TEST', { number: '7042', context: 'example.test' }],
    ['863-1234;Phone-Context=+1-914-555', { number: '8631234', context: '+1914555' }],
    ['*21#', { number: '*21#', context: '' }],
    ['+1;postd=pp22', { number: '+1', context: '' }],
    ['alice', undefined],
    ['dad', undefined],
    ['+', undefined],
    ['()', undefined],
    ['', undefined],
    ['1+2', undefined],
    ['911;phone-context=', undefined],
    ['911;phone-context=+', undefined],
  ] as const
  test.each(NUMBERS)('[RFC3966-3a] %s is %j', (text, expected) => {
    expect(parsePhoneNumber(text)).toEqual(expected)
  })

  test('[RFC3966-5.4a] a parameter that must be understood and is not: no number', () => {
    expect(parsePhoneNumber('+4930911;m-must=1')).toBeUndefined()
    expect(parsePhoneNumber('911;phone-context=a.test;M-must')).toBeUndefined()
  })

  test('[RFC3966-4b] letters compare without case: those of a context, and of the names of parameters', () => {
    expect(parsePhoneNumber('1;PHONE-CONTEXT=A.Test')).toEqual(parsePhoneNumber('1;phone-context=a.test'))
  })

  test.each(['1', '+1', `+${'4'.repeat(60)}`, '0049', '911'])('[RFC3966-5.1a] %s is a number as it is', (digits) => {
    expect(canonicalNumber(digits)).toBe(digits)
  })

  test('[RFC3966-4c] global and local numbers are never equal', () => {
    expect(canonicalNumber('+49')).not.toBe(canonicalNumber('49'))
  })

  const DOCUMENTS = [
    domain({ phoneContexts: ['+49-30'] }),
    subscriber('alice', { usernames: ['alice', '+49-30-1234', '1000'] }),
    domain({}, 'other.test'),
    document('Subscriber', { name: 'olga', domain: 'other.test' }, { usernames: ['+49304711'] }),
  ]

  const REACHED = ['+49301234', '+49(30)1234', '+49-30-1234;isub=1', '1000', '10-00', '1000;phone-context=example.test']
  test.each(REACHED)('[RFC3966-4a] a user part %s reaches the number in any form', async (user) => {
    expect(findUser((await indexOf(...DOCUMENTS)).domains.get('example.test') as never, user)?.key).toContain('alice')
  })

  const MISSED = ['49301234', '100', '1000;phone-context=other.test', '1000;phone-context=+4930x']
  test.each(MISSED)('[RFC3966-5.1.5a] %s does not: another number, or another context', async (user) => {
    expect(findUser((await indexOf(...DOCUMENTS)).domains.get('example.test') as never, user)).toBeUndefined()
  })

  const DOMAINS = [
    { tel: '+49 30 1234'.replaceAll(' ', ''), caller: 'example.test', found: 'example.test' },
    { tel: '+49304711', caller: 'example.test', found: 'other.test' },
    { tel: '+49304711', caller: undefined, found: 'other.test' },
    { tel: '+1555', caller: 'example.test', found: 'example.test' },
    { tel: '+1555', caller: undefined, found: undefined },
    { tel: '1000;phone-context=+4930', caller: undefined, found: 'example.test' },
    { tel: '1000;phone-context=other.test', caller: 'example.test', found: 'other.test' },
    { tel: '1000;phone-context=elsewhere.test', caller: 'example.test', found: undefined },
  ]
  test.each(DOMAINS)('[RFC3966-5.1.5a] tel:$tel of $caller belongs to $found', async ({ tel, caller, found }) => {
    const index = await indexOf(...DOCUMENTS)
    const number = parsePhoneNumber(tel)
    if (number === undefined) throw new Error('no number')
    expect(domainOfNumber(index, number, caller === undefined ? undefined : findDomain(index, caller))?.name).toBe(
      found,
    )
  })

  test('[RFC3966-3c] a local number without context belongs to nobody', async () => {
    const index = await indexOf(...DOCUMENTS)
    const own = findDomain(index, 'example.test')
    expect(domainOfNumber(index, { number: '1000', context: '' }, own)).toBeUndefined()
    expect(planNumber('1000', undefined).code).toBe('unknown_number')
  })

  test('a number that two domains claim is found by neither from outside', async () => {
    const index = await indexOf(
      ...DOCUMENTS,
      domain({}, 'third.test'),
      document('Subscriber', { name: 'tom', domain: 'third.test' }, { usernames: ['+49-30-4711'] }),
    )
    expect(domainOfNumber(index, { number: '+49304711', context: '' }, undefined)).toBeUndefined()
  })

  test('two forms of one number are one name', async () => {
    const problems = await problemsOf(...DOCUMENTS, subscriber('bob', { usernames: ['10.00'] }))
    expect(problems).toEqual(['spec.usernames: expected a name of its own; Subscriber/example.test/alice has this one'])
  })
})

describe('a number plan: numbers as people dial them', () => {
  const german = numberPlan.parse({ country: '49' })
  const american = numberPlan.parse({ country: '+1', national: '1', international: '011', nationalDigits: 10 })
  const danish = numberPlan.parse({ country: '+45', national: '', nationalDigits: 8 })
  test.each([
    [german, '0301234', '+49301234'],
    [german, '0049301234', '+49301234'],
    [german, '00433161234', '+433161234'],
    [german, '1234', ''],
    [german, '0', ''],
    [german, '00301234', '+301234'],
    [german, '000301234', ''],
    [german, '0123456789012345', ''],
    [american, '12015550123', '+12015550123'],
    [american, '2015550123', '+12015550123'],
    [american, '01149301234', '+49301234'],
    [american, '120155501', ''],
    [danish, '12345678', '+4512345678'],
    [danish, '1234567', ''],
    [danish, '*2345678', ''],
  ])('%j: %s is %s', (plan, dialled, expected) => {
    expect(dialledNumber(plan, dialled)).toBe(expected)
  })

  test.each([{ country: '0' }, { country: '49', national: 'a' }, { country: '+4949' }, {}])('%j is none', (spec) => {
    expect(numberPlan.safeParse(spec).success).toBe(false)
  })

  test('[RFC3966-5.1.5b] an extension of the domain comes before what it would mean as a dialled number', async () => {
    const index = await indexOf(
      domain({ numberPlan: { country: '+49' } }),
      subscriber('alice', { usernames: ['+49-30-1234'] }),
      subscriber('bob', { usernames: ['0301234'] }),
    )
    const entry = findDomain(index, 'example.test')
    if (entry === undefined) throw new Error('no domain')
    expect(findUser(entry, '0301234')?.aor).toBe('sip:0301234@example.test')
    expect(findUser(entry, '0049301234')?.aor).toBe('sip:+49301234@example.test')
    expect(findUser(entry, '0401')).toBeUndefined()
  })
})
