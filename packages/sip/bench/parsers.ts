// SPDX-License-Identifier: MIT
// The same message through each parser, from the received bytes to top Via, From, To, Call-ID, CSeq and Route read.
import type { Buffer } from 'node:buffer'
import { createRequire } from 'node:module'
import { Edits, findHeader, HEADER, headerLineStart, SipMessage, scan } from '@tandem/sip'
import type { Candidate } from './measure.ts'

const require = createRequire(import.meta.url)

interface SipPackage {
  parse(text: string): { headers: Record<string, unknown> } | undefined
}
interface JsSipParser {
  parseMessage(
    text: string,
    ua: object,
  ): { via_branch?: string; getHeader(name: string): string | undefined } | undefined
}
interface SipJsMessage {
  viaBranch: string
  getHeader(name: string): string | undefined
}
interface SipJsParser {
  Parser: { parseMessage(text: string, logger: object): SipJsMessage | undefined }
}

/** Kept and printed, so that no loop is optimised away. */
export const sink = { value: 0 }

function ours(message: Buffer): Candidate {
  const msg = new SipMessage()
  const run = (times: number): void => {
    for (let k = 0; k < times; k++) {
      sink.value += scan(msg, message, 0, message.length)
      sink.value += msg.viaBranchStart + msg.fromTagStart + msg.toStart + msg.callIdStart + msg.cseq
      sink.value += findHeader(msg, HEADER.ROUTE)
    }
  }
  return { name: 'tandem scan()', run, times: 20_000 }
}

function oursAsText(message: Buffer): Candidate {
  const msg = new SipMessage()
  const run = (times: number): void => {
    for (let k = 0; k < times; k++) {
      scan(msg, message, 0, message.length)
      sink.value += msg.text(msg.viaBranchStart, msg.viaBranchEnd).length
      sink.value += msg.text(msg.fromTagStart, msg.fromTagEnd).length
      sink.value += msg.text(msg.toStart, msg.toEnd).length
      sink.value += msg.text(msg.callIdStart, msg.callIdEnd).length + msg.cseq
    }
  }
  return { name: 'tandem scan(), four fields as strings', run, times: 20_000 }
}

function sip(message: Buffer): Candidate {
  const library = require('sip/sip.js') as SipPackage
  const run = (times: number): void => {
    for (let k = 0; k < times; k++) {
      const headers = library.parse(message.toString('latin1'))?.headers
      if (headers?.via !== undefined && headers.from && headers.to && headers['call-id'] && headers.cseq) sink.value++
      if (headers?.route !== undefined) sink.value++
    }
  }
  return { name: 'sip 0.0.6', run, times: 2000 }
}

async function sipJs(message: Buffer): Promise<Candidate> {
  const path = new URL('./node_modules/sip.js/lib/core/messages/parser.js', import.meta.url).href
  const { Parser } = (await import(path)) as SipJsParser
  const logger = { warn: () => {}, error: () => {} }
  const run = (times: number): void => {
    for (let k = 0; k < times; k++) {
      const parsed = Parser.parseMessage(message.toString('latin1'), logger)
      sink.value += parsed?.viaBranch.length ?? 0
      if (parsed?.getHeader('route') !== undefined) sink.value++
    }
  }
  return { name: 'sip.js 0.21.2', run, times: 20 }
}

function jsSip(message: Buffer): Candidate {
  const library = require('jssip/lib/Parser.js') as JsSipParser
  const run = (times: number): void => {
    for (let k = 0; k < times; k++) {
      const parsed = library.parseMessage(message.toString('latin1'), {})
      sink.value += parsed?.via_branch?.length ?? 0
      if (parsed?.getHeader('route') !== undefined) sink.value++
    }
  }
  return { name: 'jssip 3.13.8', run, times: 200 }
}

export async function parsers(message: Buffer): Promise<Candidate[]> {
  return [ours(message), oursAsText(message), sip(message), await sipJs(message), jsSip(message)]
}

/** A forwarded copy: Max-Forwards lowered, Via and Record-Route inserted. */
export function forwarding(message: Buffer): Candidate {
  const msg = new SipMessage()
  scan(msg, message, 0, message.length)
  const edits = new Edits()
  const out = globalThis.Buffer.alloc(4096)
  const inserted =
    'Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1abcdefghijklmnopqrstuvwxyz\r\nRecord-Route: <sip:AbCdEfGhIjKlMnOpQrStUv@127.0.0.1:5060;lr>\r\n'
  const run = (times: number): void => {
    for (let k = 0; k < times; k++) {
      edits.reset(msg)
      edits.replace(msg.maxForwardsStart, msg.maxForwardsEnd, '69')
      edits.insert(headerLineStart(msg, msg.viaIndex), inserted)
      sink.value += edits.encodeInto(out, 0)
    }
  }
  return { name: 'tandem encode of a forwarded copy', run, times: 20_000 }
}
