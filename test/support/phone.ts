// SPDX-License-Identifier: MIT
//
// A phone on the in-memory network, as plain as one can be: it keeps what it gets as text, and says what it is told to say. It shares
// nothing with @tandem/sip on purpose.
import { buildRequest, buildResponse, headerValues, type MemorySink } from '@tandem/test-kit'

/** Where a phone's packets go: the network itself, or a NAT before it. */
export interface PhoneNetwork {
  endpoint(address: string, port: number, sink: MemorySink['onDatagram']): PhoneEndpoint
}

export interface PhoneEndpoint {
  send(buf: Buffer, start: number, end: number, port: number, address: string): void
  sendText(text: string, port: number, address: string): void
}

export class MemoryPhone {
  readonly user: string
  readonly host: string
  readonly port: number
  readonly endpoint: PhoneEndpoint
  /** Everything that came, oldest first. */
  readonly inbox: string[] = []
  /** Called with each request that comes, after it is in the inbox. */
  onRequest: (text: string) => void = () => undefined
  onResponse: (text: string) => void = () => undefined
  private readonly server: { readonly address: string; readonly port: number }
  private requestCameFrom: MemoryPhone['server']
  private serial = 0

  /** @param server the edge that it sends to */
  constructor(network: PhoneNetwork, user: string, host: string, port: number, server: MemoryPhone['server']) {
    this.user = user
    this.host = host
    this.port = port
    this.server = server
    this.requestCameFrom = server
    this.endpoint = network.endpoint(host, port, (buf, start, end, address, sourcePort) => {
      const text = buf.toString('latin1', start, end)
      this.inbox.push(text)
      if (text.startsWith('SIP/2.0 ')) return this.onResponse(text)
      this.requestCameFrom = { address, port: sourcePort }
      this.onRequest(text)
    })
  }

  get contact(): string {
    return `<sip:${this.user}@${this.place}>`
  }

  /** As in the trace of the network. */
  get place(): string {
    return this.host.includes(':') ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`
  }

  send(text: string): void {
    this.endpoint.sendText(text, this.server.port, this.server.address)
  }

  register(domain: string, expiresS = 3600): void {
    const address = `<sip:${this.user}@${domain}>`
    const headers = [`Expires: ${expiresS}`]
    this.send(
      this.request('REGISTER', {
        uri: `sip:${domain}`,
        to: address,
        from: `${address};tag=r`,
        contact: this.contact,
        headers,
      }),
    )
  }

  /** A request of its own, with a Via branch and a Call-ID that were not used before unless given. */
  request(method: string, parts: NonNullable<Parameters<typeof buildRequest>[0]> = {}): string {
    this.serial += 1
    const via = `SIP/2.0/UDP ${this.place};branch=z9hG4bK-${this.user}-${this.serial};rport`
    return buildRequest({ via, callId: `${this.user}-${this.serial}@${this.host}`, ...parts, method })
  }

  /** Answers a request that came, to where the last one came from. */
  answer(request: string, status: number, parts: Parameters<typeof buildResponse>[2] = {}): void {
    const { address, port } = this.requestCameFrom
    const text = buildResponse(request, status, { toTag: `t-${this.user}`, contact: this.contact, ...parts })
    this.endpoint.sendText(text, port, address)
  }

  /** The Route lines of a request inside the dialog that this message has made. */
  routesOf(message: string, isCaller: boolean): string[] {
    const values = headerValues(message, 'record-route')
    return (isCaller ? values.reverse() : values).map((value) => `Route: ${value}`)
  }

  last(): string {
    return this.inbox.at(-1) ?? ''
  }
}
