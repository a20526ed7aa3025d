// SPDX-License-Identifier: MIT
// Via values beyond the first, as a proxy reads them when a response goes back. The top Via's faults are in scan.test.ts.
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { parseVia, TRANSPORT, ViaView } from './via.ts'

function parsed(text: string): ViaView | undefined {
  const buf = Buffer.from(text, 'latin1')
  const view = new ViaView()
  return parseVia(buf, 0, buf.length, view) ? view : undefined
}

describe('parseVia', () => {
  it('walks a list by nextStart', () => {
    const text = ' SIP/2.0/WSS a.invalid;branch=z9hG4bK1 , SIP/2.0/TLS b:5061;maddr=224.0.0.1;ttl=1'
    const first = parsed(text) as ViaView
    expect([first.transport, text.slice(first.start, first.end)]).toEqual([
      TRANSPORT.WSS,
      'SIP/2.0/WSS a.invalid;branch=z9hG4bK1',
    ])
    const second = new ViaView()
    expect(parseVia(Buffer.from(text), first.nextStart, text.length, second)).toBe(true)
    expect([second.transport, second.port, second.nextStart]).toEqual([TRANSPORT.TLS, 5061, -1])
    expect(text.slice(second.maddrStart, second.maddrEnd)).toBe('224.0.0.1')
  })

  it.each([
    ['UDP', TRANSPORT.UDP],
    ['tcp', TRANSPORT.TCP],
    ['Tls', TRANSPORT.TLS],
    ['WS', TRANSPORT.WS],
    ['SCTP', TRANSPORT.SCTP],
    ['UNKNOWN', TRANSPORT.OTHER],
  ])('transport %s [RFC4475-3.1.1.10]', (name, transport) => {
    expect(parsed(`SIP/2.0/${name} host`)?.transport).toBe(transport)
  })

  it.each([
    ['rport', -1, true],
    ['rport=', -1, true],
    ['rport=5060', 5060, true],
    ['rport=70000', -1, true],
    ['x="a,;b"', -1, false],
  ])('parameter %s [RFC3581-3]', (text, rport, has) => {
    const view = parsed(`SIP/2.0/UDP h;${text};branch=z9hG4bK1`)
    expect([view?.rport, (view?.rportStart ?? -1) >= 0]).toEqual([rport, has])
  })

  it.each([
    '',
    'SIP/2.0',
    'SIP/2.0/UDP',
    'SIP/2.0/UDP ',
    'SIP 2.0 UDP h',
    'SIP/2.0/UDP [::1',
    'SIP/2.0/UDP [zz::]',
    'SIP/2.0/UDP h:',
    'SIP/2.0/UDP h:0',
    'SIP/2.0/UDP h x',
    'SIP/2.0/UDP h;="',
    'SIP/2.0/UDP h;a="b',
    'SIP/2.0/UDP h;branch',
    '/2.0/UDP h',
  ])('refuses %j', (text) => {
    expect(parsed(text)).toBeUndefined()
  })
})
