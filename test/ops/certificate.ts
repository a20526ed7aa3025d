// SPDX-License-Identifier: MIT
// A call over TLS that is up while the certificate changes: two phones, each on a connection from before, which must carry the call to its end;
// and what is shown to who connects anew.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { waitUntil } from '@tandem/test-kit'
import { issueCertificate } from '@tandem/transport'
import { DOMAIN } from '../chaos/support/cluster.ts'
import { type Message, Phone, token } from '../e2e/support/phone.ts'
import { ADDRESS } from './cluster.ts'

/** Which edge takes a connection is the kernel's choice: so many miss no edge of a few, but by a chance of one in thousands. */
const CONNECTIONS = 24
const CHANGED_MS = 20_000

const CALLEE = `<sip:caller@${DOMAIN}>`
const CALLER = `<sip:visitor@${DOMAIN}>`

/** Puts a new one where the edges look for theirs. */
export function writeCertificate(folder: string): { certFile: string; keyFile: string } {
  const { cert, key } = issueCertificate({ commonName: ADDRESS, addresses: [ADDRESS] })
  const files = { certFile: join(folder, 'edge.pem'), keyFile: join(folder, 'edge.key') }
  writeFileSync(files.keyFile, key)
  writeFileSync(files.certFile, cert)
  return files
}

async function shownBy(port: number): Promise<string> {
  const socket = connect({ host: ADDRESS, port, rejectUnauthorized: false })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate().fingerprint256
  } finally {
    socket.destroy()
  }
}

const CALL_ID = 'a-call-over-tls'

export class SecureCall {
  readonly fingerprint: string
  readonly #port: number
  readonly #caller: Phone
  readonly #callee: Phone
  readonly #callId: string
  readonly #answer: Message

  private constructor(
    port: number,
    fingerprint: string,
    caller: Phone,
    callee: Phone,
    callId: string,
    answer: Message,
  ) {
    this.#port = port
    this.fingerprint = fingerprint
    this.#caller = caller
    this.#callee = callee
    this.#callId = callId
    this.#answer = answer
  }

  /** Registers the callee, calls it, and is answered. */
  static async begin(port: number): Promise<SecureCall> {
    const fingerprint = await shownBy(port)
    const callee = await Phone.open({ user: 'caller', port, transport: 'tls' })
    const caller = await Phone.open({ user: 'visitor', port, transport: 'tls' })
    const registered = await callee.register({
      uri: `sip:${DOMAIN}`,
      to: CALLEE,
      from: CALLEE,
      headers: [`Contact: ${callee.contact};expires=600`],
    })
    if (registered.status !== 200) throw new Error(`the phone was not registered over TLS: ${registered.startLine}`)
    const callId = `${CALL_ID}-${token()}`
    const parts = { uri: `sip:caller@${DOMAIN}`, to: CALLEE, from: CALLER, callId }
    caller.send(caller.request('INVITE', { ...parts, headers: [`Contact: ${caller.contact}`] }))
    callee.reply(await callee.next('the INVITE', ({ method }) => method === 'INVITE'), '200 OK', [
      `Contact: ${callee.contact}`,
    ])
    const answer = await caller.final('the answer', callId, '1 INVITE')
    if (answer.status !== 200) throw new Error(`the call over TLS was not answered: ${answer.startLine}`)
    const call = new SecureCall(port, fingerprint, caller, callee, callId, answer)
    caller.send(caller.request('ACK', { ...call.#dialog, cseq: 1 }))
    await callee.next('the ACK', ({ method }) => method === 'ACK')
    return call
  }

  get #dialog() {
    return {
      uri: /<([^>]+)>/.exec(this.#answer.header('Contact'))?.[1] ?? '',
      to: this.#answer.header('To'),
      from: CALLER,
      callId: this.#callId,
      headers: this.#answer.all('Record-Route').map((value) => `Route: ${value}`),
    }
  }

  /** Comes back when every edge shows another certificate. */
  untilChanged(before: string): Promise<void> {
    const haveChanged = async (): Promise<boolean> => {
      const shown = await Promise.all(Array.from({ length: CONNECTIONS }, () => shownBy(this.#port)))
      return !shown.includes(before)
    }
    return waitUntil('all edges to show the new certificate', haveChanged, CHANGED_MS, 200)
  }

  /** Hangs up over the connections from before. */
  async end(): Promise<void> {
    this.#caller.send(this.#caller.request('BYE', { ...this.#dialog, cseq: 2 }))
    this.#callee.reply(await this.#callee.next('the BYE', ({ method }) => method === 'BYE'), '200 OK')
    const { status, startLine } = await this.#caller.final('the end', this.#callId, '2 BYE')
    if (status !== 200) throw new Error(`the call over TLS did not end: ${startLine}`)
  }

  close(): void {
    this.#caller.close()
    this.#callee.close()
  }
}
