// SPDX-License-Identifier: MIT
// The byte-exact corpora of ../shared/corpora, which no clone of the project carries: where the folder is absent this suite says so.
// Tested: verdict and status of every file against its row; untouched bytes stay untouched through parse and edit; framing gives the
// same messages. Not tested here: what the proxy and the registrar then do.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Edits, FRAME, headerLineStart, parseContacts, SCAN_ERRORS, SipMessage, StreamFramer, scan } from '@tandem/sip'
import { describe, expect, it } from 'vitest'
import { type Expectation, PARAM_GAPS, RFC4475, RFC5118 } from './expectations.ts'

const CORPORA = join(import.meta.dirname, '../../../shared/corpora')
const present = existsSync(CORPORA)

interface ManifestRow {
  readonly file: string
  readonly parser?: string
  readonly valid?: boolean
  readonly rfc_status?: readonly number[]
}

function manifestOf(folder: string): ManifestRow[] {
  return (JSON.parse(readFileSync(join(CORPORA, folder, 'manifest.json'), 'utf8')) as { messages: ManifestRow[] })
    .messages
}

function filesOf(folder: string): string[] {
  return readdirSync(join(CORPORA, folder)).filter((file) => !file.endsWith('.json'))
}

const edits = new Edits()
const out = Buffer.alloc(70_000)

function scanned(folder: string, file: string): SipMessage {
  const buf = readFileSync(join(CORPORA, folder, file))
  const msg = new SipMessage()
  scan(msg, buf, 0, buf.length)
  return msg
}

function verdictOf(msg: SipMessage): Expectation {
  const info = SCAN_ERRORS[msg.error]
  if (info === undefined) throw new Error(`no entry for code ${msg.error}`)
  return { result: info.name, answer: msg.answerable ? info.status : 0 }
}

/** Where the manifest names a verdict and the row gives no reason to differ, they agree. */
function checkManifest(row: ManifestRow, expectation: Expectation): void {
  if (expectation.why !== undefined || row.parser === 'reject-or-accept') return
  const accepts = row.parser === undefined ? row.valid === true : row.parser === 'accept'
  expect(expectation.result === 'none', `${row.file}: manifest says ${accepts ? 'accept' : 'reject'}`).toBe(accepts)
  if (!accepts && (row.rfc_status?.length ?? 0) > 0) expect(row.rfc_status).toContain(expectation.answer)
}

function runTable(folder: string, table: Readonly<Record<string, Expectation>>): void {
  it('has a row for each file and a file for each row', () => {
    expect(Object.keys(table).sort()).toEqual(filesOf(folder).sort())
  })
  it.each(filesOf(folder))('%s', (file) => {
    const expectation = table[file]
    if (expectation === undefined) throw new Error(`no expectation for ${file}`)
    const row = manifestOf(folder).find((candidate) => candidate.file === file)
    if (row !== undefined) checkManifest(row, expectation)
    expect(verdictOf(scanned(folder, file))).toEqual({ result: expectation.result, answer: expectation.answer ?? 0 })
  })
}

function encoded(): Buffer {
  return out.subarray(0, edits.encodeInto(out, 0))
}

if (!present) console.warn(`corpora: ${CORPORA} is not there, so the byte-exact corpora were not run`)

describe.skipIf(!present)('corpora (skipped where ../shared/corpora is absent)', () => {
  if (!present) return

  describe('RFC 4475', () => {
    runTable('rfc4475', RFC4475)

    it('dblreq: the octets behind the body are no part of the message [RFC4475-3.1.1.8]', () => {
      const msg = scanned('rfc4475', 'dblreq.dat')
      edits.reset(msg)
      expect(encoded().toString('latin1')).not.toContain('INVITE')
    })

    it('regbadct: the registrar refuses the Contact [RFC4475-3.1.2.13]', () => {
      expect(parseContacts(scanned('rfc4475', 'regbadct.dat'))).toBeUndefined()
    })

    it('escnull: two contacts, not one [RFC4475-3.1.1.4]', () => {
      const list = parseContacts(scanned('rfc4475', 'escnull.dat'))
      expect(list?.contacts.map((contact) => contact.uri.user)).toEqual(['%00', '%00%00'])
    })

    it('cparam01 and cparam02: whose parameter it is [RFC4475-3.3.12, 3.3.13]', () => {
      const names = ['cparam01.dat', 'cparam02.dat'].map((file) => {
        const contact = parseContacts(scanned('rfc4475', file))?.contacts[0]
        return [contact?.params.length, contact?.uri.params.length]
      })
      expect(names).toEqual([
        [1, 0],
        [0, 1],
      ])
    })
  })

  describe('RFC 5118', () => runTable('rfc5118', RFC5118))
  describe('parameter gaps', () => runTable('malformed/param-gaps', PARAM_GAPS))

  describe('real world', () => {
    it('is as large as its manifest', () => {
      expect(filesOf('realworld').sort()).toEqual(
        manifestOf('realworld')
          .map((row) => row.file)
          .sort(),
      )
    })

    it.each(filesOf('realworld'))('%s: accepted, and untouched bytes stay', (file) => {
      const msg = scanned('realworld', file)
      expect(SCAN_ERRORS[msg.error]?.name).toBe('none')
      edits.reset(msg)
      expect(encoded().equals(msg.buf.subarray(msg.start, msg.end))).toBe(true)

      const via = 'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnew\r\n'
      const recordRoute = 'Record-Route: <sip:t0ken@192.0.2.1:5060;lr>\r\n'
      const at = headerLineStart(msg, msg.viaIndex)
      edits.insert(at, via)
      edits.insert(at, recordRoute)
      const text = encoded().toString('latin1')
      expect(text).toBe(msg.text(msg.start, at) + via + recordRoute + msg.text(at, msg.end))
    })

    it('comes out of a stream as it went in, in chunks of 97 bytes', () => {
      const messages = filesOf('realworld').map((file) => scanned('realworld', file))
      const framed = messages.filter((msg) => msg.contentLength >= 0).map((msg) => msg.text(msg.start, msg.end))
      const stream = Buffer.from(framed.join(''), 'latin1')
      const framer = new StreamFramer()
      const seen: string[] = []
      for (let at = 0; at < stream.length; at += 97) {
        framer.push(stream.subarray(at, at + 97))
        while (framer.next() === FRAME.MESSAGE) seen.push(framer.buf.toString('latin1', framer.start, framer.end))
      }
      expect(framed.length).toBeGreaterThan(40)
      expect(seen).toEqual(framed)
    })
  })
})
