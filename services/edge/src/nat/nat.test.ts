// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest'
import { messageOf, requestText } from '../testing.ts'
import { contactHost, isContactAt } from './contact-host.ts'
import { isBehindNat, isBoundBehindNat, isContactElsewhere, viaShowsNat } from './nat.ts'

test.each([
  ['192.0.2.30', '192.0.2.30', false],
  ['10.0.0.5', '192.0.2.30', true],
  ['[::1]', '::1', false],
  ['[2001:DB8:0::5]', '2001:db8::5', false],
  ['[fd00:0::5]', 'fd00::5', false],
  ['[fd00::6]', '2001:db8::5', true],
  ['[fe80::6]', '192.0.2.30', true],
  ['[2001:db8::6]', '2001:db8::5', false],
  ['192.0.2.31', '192.0.2.30', false],
  ['127.0.0.1', '192.0.2.30', true],
  ['192.168.7.7', '192.168.7.8', true],
  ['1.2.3', '192.0.2.30', true],
  ['phone.example.test', '192.0.2.30', false],
  ['x.invalid', '192.0.2.30', true],
  ['localhost', '127.0.0.1', false],
  ['localhost', '192.0.2.30', true],
  ['desk-phone.local', '192.0.2.30', true],
  ['FRITZ.LAN', '192.0.2.30', true],
  ['plan.example', '192.0.2.30', false],
])('a contact at %s that registers from %s is behind a NAT: %s', (contact, source, expected) => {
  expect(isBehindNat(contact, source)).toBe(expected)
})

const SOURCE = { address: '192.0.2.30', port: 40_000 }
const withVia = (via: string, contact = '') =>
  messageOf(requestText({ via: `Via: SIP/2.0/UDP ${via}`, headers: contact === '' ? [] : [`Contact: ${contact}`] }))

test.each([
  ['the very place', '192.0.2.30:40000;branch=z9hG4bK1;rport', false],
  ['another port, which rport asks for', '192.0.2.30;branch=z9hG4bK1;rport', true],
  ['another port, where it may listen: no rport', '192.0.2.30;branch=z9hG4bK1', false],
  ['a private address', '10.0.0.5:40000;branch=z9hG4bK1', true],
  ['another public address', '203.0.113.4:40000;branch=z9hG4bK1', true],
  ['a name, which may be its own', 'phone.example.test;branch=z9hG4bK1', false],
  ['a name that is nobody else’s', 'phone.local;branch=z9hG4bK1', true],
])('[RFC3261-18.2.1d] Via with %s (%s) shows a NAT: %s', (_, via, expected) => {
  expect(viaShowsNat(withVia(via), SOURCE)).toBe(expected)
})

test('an IPv6 Via is the source in whatever way it is written', () => {
  const source = { address: '2001:db8::5', port: 5060 }
  expect(viaShowsNat(withVia('[2001:db8::5];branch=z9hG4bK1'), source)).toBe(false)
  expect(viaShowsNat(withVia('[2001:DB8:0::5];branch=z9hG4bK1'), source)).toBe(false)
  expect(viaShowsNat(withVia('[2001:db8::6];branch=z9hG4bK1'), source)).toBe(true)
})

test.each([
  ['private, as ever', '10.0.0.5', '10.0.0.5', true],
  ['public, its own picture of itself', '203.0.113.4', '203.0.113.4', true],
  ['at the address of the NAT', '192.0.2.30', '10.0.0.5', true],
  ['somebody else’s: any contact may be bound [RFC3261-10.2]', '198.51.100.7', '10.0.0.5', false],
  ['a name', 'phone.example.test', '10.0.0.5', false],
])('a REGISTER through a NAT with a Contact that is %s: %s, Via %s', (_, contact, via, expected) => {
  expect(isBoundBehindNat(withVia(`${via};branch=z9hG4bK1;rport`), contact, SOURCE)).toBe(expected)
})

test('a public Contact without any NAT is believed', () => {
  const msg = withVia('192.0.2.30:40000;branch=z9hG4bK1;rport')
  expect(isBoundBehindNat(msg, '198.51.100.7', SOURCE)).toBe(false)
  expect(isBoundBehindNat(msg, '192.0.2.30', SOURCE)).toBe(false)
})

test.each([
  ['192.0.2.30', '192.0.2.30', false],
  ['198.51.100.7', '192.0.2.30', false],
  ['10.0.0.5', '192.0.2.30', true],
  ['10.0.0.5', '10.9.9.9', false],
  ['192.168.1.5', '10.9.9.9', true],
  ['[fd00::5]', '2001:db8::5', true],
  ['x.invalid', '192.0.2.30', true],
  ['phone.example.test', '192.0.2.30', false],
])('a Contact at %s of a peer that was reached at %s is elsewhere: %s', (contact, reachedAt, expected) => {
  expect(isContactElsewhere(contact, reachedAt)).toBe(expected)
})

test.each([
  ['<sip:bob@192.0.2.30:5060>', '192.0.2.30', true],
  ['sip:bob@192.0.2.30', '192.0.2.30', true],
  ['<sip:bob@192.0.2.300>', '192.0.2.300', false],
  ['<sip:bob@10.0.0.5>', '10.0.0.5', false],
  ['<sip:bob@[2001:db8::5]>', '[2001:db8::5]', false],
  ['"B" <sip:10.0.0.5;lr>', '10.0.0.5', false],
  ['<tel:+1>', undefined, false],
])('the host of Contact %s is %s, the source’s: %s', (contact, host, isSource) => {
  const msg = withVia('x;branch=z9hG4bK1', contact)
  expect(contactHost(msg)).toBe(host)
  expect(isContactAt(msg, SOURCE.address)).toBe(isSource)
})

test('a Contact in brackets is compared without them', () => {
  expect(isContactAt(withVia('x;branch=z9hG4bK1', '<sip:b@[2001:db8::5]>'), '2001:db8::5')).toBe(true)
})
