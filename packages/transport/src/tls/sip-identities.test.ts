// SPDX-License-Identifier: MIT
// Whom a certificate proves, case by case. That real certificates are written as these texts is tested in tls.test.ts.
import { expect, it } from 'vitest'
import { provesName, servedNames, sipIdentities, userIdentities } from './sip-identities.ts'

const of = (subjectAltName: string | undefined, subject = 'CN=cn.test') => ({ subject, subjectAltName })

it.each([
  ['RFC5922-7.1ef', 'URI:sip:A.test, DNS:b.test', ['a.test']],
  ['RFC5922-7.1e', 'URI:SIP:a.test;transport=tls, URI:sip:c.test:5061', ['a.test', 'c.test']],
  ['RFC5922-7.1cdf', 'URI:sips:a.test, URI:sip:user@c.test, URI:https://d.test/, DNS:b.test', ['b.test']],
  ['RFC5922-7.1d', 'URI:sip:user;a=b@c.test', []],
  ['RFC5922-7.1f', 'DNS:"b.test, DNS:evil.test", DNS:c.test', ['b.test, dns:evil.test', 'c.test']],
  ['RFC5922-7.1', 'email:a@b.test, IP Address:192.0.2.1', []],
  ['RFC5922-7.1', undefined, ['cn.test']],
])('[%s] of %s', (_cite, text, expected) => {
  expect(sipIdentities(of(text))).toEqual(expected)
})

it('a CN counts only where it is a host name', () => {
  expect(sipIdentities(of(undefined, 'O=Somebody\nCN=The Company'))).toEqual([])
  expect(sipIdentities(of(undefined, ''))).toEqual([])
})

it.each([
  ['DNS:b.test', 'B.TEST.', true],
  ['DNS:b.test', 'a.b.test', false],
  ['DNS:*.b.test', 'a.b.test', false],
  ['DNS:.b.test', 'a.b.test', false],
  ['IP Address:2001:DB8:0:0:0:0:0:1', '2001:db8::1', true],
  ['DNS:192.0.2.1', '192.0.2.1', false],
])('[RFC5922-7.2acd] %s proves %s: %s', (text, name, expected) => {
  expect(provesName(of(text), name)).toBe(expected)
})

it.each([
  ['URI:sip:alice@a.test, URI:SIP:+4930@b.test, DNS:c.test', ['sip:alice@a.test', 'SIP:+4930@b.test']],
  ['URI:sip:a.test, URI:sips:alice@a.test, URI:mailto:alice@a.test, email:alice@a.test', []],
  ['URI:sip:alice:pw@a.test, URI:sip:alice@a.test;user=phone, URI:sip:alice@a.test:5060, URI:sip:a@b@c', []],
  ['DNS:"x, URI:sip:mallory@a.test"', []],
])('[RFC5922-7.1d] the users in %s are %j', (text, expected) => {
  expect(userIdentities(of(text))).toEqual(expected)
})

it('a server chooses by every name', () => {
  expect(servedNames(of('URI:sip:a.test, DNS:*.b.test, DNS:a.test'))).toEqual(['*.b.test', 'a.test'])
})
