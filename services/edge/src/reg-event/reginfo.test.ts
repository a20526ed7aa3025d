// SPDX-License-Identifier: MIT
// The registration information document as text. Read here by a small reader of its own, strict about what is well-formed.
import { location } from '@tandem/rpc'
import { publicGruu } from '@tandem/sip'
import { describe, expect, test } from 'vitest'
import { encodeReginfo, escapeXml } from './reginfo.ts'

type ContactParts = Partial<location.WatchedContact>

const AOR = 'sip:alice@example.test'

function contact(more: ContactParts = {}): location.WatchedContact {
  return location.WatchedContact.fromPartial({
    id: 'c1',
    uri: 'sip:alice@192.0.2.5',
    active: true,
    event: 'registered',
    qMilli: 1000,
    callId: 'call-1@phone',
    cseq: 7,
    ...more,
  })
}

function documentOf(more: Partial<location.Notification> = {}): string {
  const parts = { aor: AOR, full: true, version: 3, registrationId: 'r1', registrationState: 'active', ...more }
  return encodeReginfo(location.Notification.fromPartial(parts)).toString('utf8')
}

interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: Element[]
  text: string
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function unescaped(text: string): string {
  expect(text).not.toMatch(/&(?!(?:lt|gt|amp|quot|apos|#\d+);)|</)
  return text.replace(/&(?:#(\d+)|(\w+));/g, (_all, code, name) => {
    return code === undefined ? (ENTITIES[name] as string) : String.fromCharCode(Number(code))
  })
}

/** Throws on what is not well-formed, as far as this document can be. */
function parseXml(xml: string): Element {
  const [declaration, body] = [xml.slice(0, xml.indexOf('?>') + 2), xml.slice(xml.indexOf('?>') + 2)]
  expect(declaration).toBe('<?xml version="1.0" encoding="UTF-8"?>')
  const root: Element = { name: '', attributes: {}, children: [], text: '' }
  const open = [root]
  for (const [, tag = '', text = ''] of body.matchAll(/<([^<>]+)>|([^<>]+)/g)) {
    const top = open.at(-1) as Element
    if (tag === '') top.text += unescaped(text)
    else if (tag.startsWith('/')) expect(open.pop()?.name).toBe(tag.slice(1))
    else {
      const element = elementOf(tag.replace(/\/$/, ''))
      top.children.push(element)
      if (!tag.endsWith('/')) open.push(element)
    }
  }
  expect(open).toEqual([root])
  expect(root.children).toHaveLength(1)
  return root.children[0] as Element
}

function elementOf(tag: string): Element {
  const name = /^[\w:-]+/.exec(tag)?.[0] ?? ''
  const rest = tag.slice(name.length)
  expect(rest).toMatch(/^(?:\s+[\w:-]+="[^"<]*")*\s*$/)
  const pairs = [...rest.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key, unescaped(value as string)])
  expect(new Set(pairs.map(([key]) => key)).size).toBe(pairs.length)
  return { name, attributes: Object.fromEntries(pairs), children: [], text: '' }
}

describe('the document', () => {
  test('[RFC3680-5.1a] [RFC3680-5.1b] [RFC3680-5.1c] [RFC3680-5.1e] one registration, with what must be there', () => {
    const reginfo = parseXml(documentOf({ contacts: [contact(), contact({ id: 'c2' })] }))
    expect(reginfo.name).toBe('reginfo')
    expect(reginfo.attributes).toMatchObject({ xmlns: 'urn:ietf:params:xml:ns:reginfo', version: '3', state: 'full' })
    expect(reginfo.children).toHaveLength(1)
    expect(reginfo.children[0]?.attributes).toEqual({ aor: AOR, id: 'r1', state: 'active' })
    expect(reginfo.children[0]?.children.map(({ attributes }) => attributes.id)).toEqual(['c1', 'c2'])
  })

  test('[RFC3680-5.1c] partial, and without contacts', () => {
    const reginfo = parseXml(documentOf({ full: false, registrationState: 'init' }))
    expect(reginfo.attributes.state).toBe('partial')
    expect(reginfo.children[0]).toMatchObject({ attributes: { state: 'init' }, children: [] })
  })

  test('[RFC3680-5.1g] a contact with everything that is known of it', () => {
    const more = { durationS: 12, expiresS: 3599, qMilli: 500, event: 'refreshed', displayName: 'A "B" <c>' }
    const [registration] = parseXml(documentOf({ contacts: [contact(more)] })).children
    const [shown] = registration?.children ?? []
    expect(shown?.attributes).toEqual({
      id: 'c1',
      state: 'active',
      event: 'refreshed',
      'duration-registered': '12',
      expires: '3599',
      q: '0.5',
      callid: 'call-1@phone',
      cseq: '7',
    })
    expect(shown?.children.map(({ name, text }) => [name, text])).toEqual([
      ['uri', 'sip:alice@192.0.2.5'],
      ['display-name', 'A "B" <c>'],
    ])
  })

  test('[RFC3680-5.1g] one that is gone, and one by configuration', () => {
    const gone = contact({ active: false, event: 'expired', durationS: 60 })
    const fixed = contact({ event: 'created', callId: '', cseq: 0 })
    const [registration] = parseXml(documentOf({ contacts: [gone, fixed] })).children
    const [first, second] = (registration?.children ?? []).map(({ attributes }) => attributes)
    expect(first).toMatchObject({ state: 'terminated', event: 'expired', 'duration-registered': '60' })
    expect(first).not.toHaveProperty('expires')
    expect(second).toEqual({ id: 'c1', state: 'active', event: 'created', q: '1' })
  })

  test('[RFC3680-5.1] contact parameters of other RFCs, as they were written', () => {
    const params = ';methods="INVITE, ACK";audio;+sip.x="a;b\\";c"'
    const [registration] = parseXml(documentOf({ contacts: [contact({ params })] })).children
    const unknown = registration?.children[0]?.children.filter(({ name }) => name === 'unknown-param')
    expect(unknown?.map(({ attributes, text }) => [attributes.name, text])).toEqual([
      ['methods', '"INVITE, ACK"'],
      ['audio', ''],
      ['+sip.x', '"a;b\\";c"'],
    ])
  })

  test('[RFC5628-5] the public GRUU of an instance, in its contact', () => {
    const instanceId = 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6'
    const reginfo = parseXml(documentOf({ contacts: [contact({ instanceId }), contact({ id: 'c2' })] }))
    expect(reginfo.attributes['xmlns:gr']).toBe('urn:ietf:params:xml:ns:gruuinfo')
    const [one, other] = reginfo.children[0]?.children ?? []
    expect(one?.children.at(-1)).toMatchObject({
      name: 'gr:pub-gruu',
      attributes: { uri: publicGruu(AOR, instanceId) },
    })
    expect(other?.children.map(({ name }) => name)).toEqual(['uri'])
  })

  test('[RFC3680-5.1a] hostile texts stay texts', () => {
    const hostile = `sip:a'"&<>]]>\u0001\u0000\t@h`
    const xml = documentOf({
      aor: hostile,
      contacts: [contact({ uri: hostile, callId: hostile, params: `;x=${hostile}` })],
    })
    const [registration] = parseXml(xml).children
    expect(registration?.attributes.aor).toBe(`sip:a'"&<>]]>\t@h`)
    expect(registration?.children[0]?.children[0]?.text).toBe(`sip:a'"&<>]]>\t@h`)
  })
})

test.each([
  ['UTF-8 in latin1 dress', Buffer.from('Zoë 😀', 'utf8').toString('latin1'), 'Zoë 😀'],
  ['bytes that are no UTF-8', 'Zo\xeb', 'Zo\ufffd'],
  ['characters that XML has not', 'a\u0000\u0008\u000b\u001fb', 'ab'],
  ['line ends, kept in attributes too', 'a\r\n\tb', 'a&#13;&#10;&#9;b'],
])('[RFC3680-5.1a] %s', (_what, latin1, expected) => {
  expect(escapeXml(latin1)).toBe(expected)
})
