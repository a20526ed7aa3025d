// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest'
import { countryOfNumber } from './calling-codes.ts'

test.each([
  ['+12125550100', 'US'],
  ['+14165550100', 'CA'],
  ['+18765550100', 'JM'],
  ['+18095550100', 'DO'],
  ['+79161234567', 'RU'],
  ['+77011234567', 'KZ'],
  ['+390669812345', 'VA'],
  ['+39061234567', 'IT'],
  ['+447700900123', 'GB'],
  ['+447624123456', 'IM'],
  ['+4930123456', 'DE'],
  ['+2521234567', 'SO'],
  ['+25312345678', 'DJ'],
  ['+37112345678', 'LV'],
  ['+6189162123', 'CC'],
  ['+6189123456', 'AU'],
  ['+88123456789', 'XG'],
  ['+88299123456', 'XG'],
  ['+38344123456', 'XK'],
  ['+59991234567', 'CW'],
  ['+49', 'DE'],
])('%s is of %s', (number, country) => {
  expect(countryOfNumber(number)).toBe(country)
})

test.each(['', '+', '030123', '110', '+0123', '+2101234', '+999123'])('%j is of no country', (number) => {
  expect(countryOfNumber(number)).toBeUndefined()
})
