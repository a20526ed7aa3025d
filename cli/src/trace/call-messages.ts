// SPDX-License-Identifier: MIT
//
// The messages of a call as several edges kept them, put together: one line in time, each message once, between parties that have names. What one edge sent
// and another received is the same message, known by its bytes.
import type { policy } from '@tandem/rpc'

export interface CallMessage {
  /** Milliseconds since 1970, at the edge that sent it, else at the one that received it. */
  readonly atMs: number
  /** An edge's name, or address:port. */
  readonly from: string
  readonly to: string
  readonly transport: string
  /** As it is on the wire, secrets made unreadable; one character a byte. */
  readonly text: string
  readonly fromPlace: Place
  readonly toPlace: Place
  /** The same message, from the same party, a second time. */
  readonly isRepeat: boolean
}

export interface Place {
  /** Numeric, or the name that an edge advertises. */
  readonly address: string
  readonly port: number
}

interface Seen {
  readonly edge: string
  readonly message: policy.CapturedMessage
  readonly text: string
}

const textOf = ({ address, port }: Place): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
const nearOf = ({ address, port }: policy.CapturedMessage): Place => ({ address, port })
const farOf = ({ farAddress, farPort }: policy.CapturedMessage): Place => ({ address: farAddress, port: farPort })

/** Of all edges' answers. Two edges behind one address keep their names apart. */
export function callMessages(answers: readonly policy.CapturedRequest[]): CallMessage[] {
  const seen = answers.flatMap(({ edge, messages }) =>
    messages.map((message): Seen => ({ edge, message, text: Buffer.from(message.bytes).toString('latin1') })),
  )
  seen.sort((a, b) => a.message.atMs - b.message.atMs)
  const received = receivedByText(seen)
  const places = placesOfEdges(seen)
  const messages: CallMessage[] = []
  const taken = new Set<Seen>()
  const before = new Set<string>()
  for (const one of seen.filter(({ message }) => message.isSent)) {
    const other = received.get(one.text)?.find((candidate) => !taken.has(candidate) && candidate.edge !== one.edge)
    if (other !== undefined) taken.add(other)
    messages.push(messageOf(one, other?.edge, places, before))
  }
  for (const one of seen.filter((each) => !each.message.isSent && !taken.has(each))) {
    messages.push(messageOf(one, undefined, places, before))
  }
  return messages.sort((a, b) => a.atMs - b.atMs)
}

function receivedByText(seen: readonly Seen[]): Map<string, Seen[]> {
  const received = new Map<string, Seen[]>()
  for (const one of seen) {
    if (one.message.isSent) continue
    const same = received.get(one.text)
    if (same === undefined) received.set(one.text, [one])
    else same.push(one)
  }
  return received
}

/** Listeners that one edge alone has. */
function placesOfEdges(seen: readonly Seen[]): Map<string, string> {
  const places = new Map<string, string>()
  for (const { edge, message } of seen) {
    const place = textOf(nearOf(message))
    const known = places.get(place)
    places.set(place, known === undefined || known === edge ? edge : '')
  }
  return places
}

function messageOf(
  { edge, message, text }: Seen,
  otherEdge: string | undefined,
  places: ReadonlyMap<string, string>,
  before: Set<string>,
): CallMessage {
  const far = textOf(farOf(message))
  const other = otherEdge ?? (places.get(far) || far)
  const [from, to] = message.isSent ? [edge, other] : [other, edge]
  const [fromPlace, toPlace] = message.isSent ? [nearOf(message), farOf(message)] : [farOf(message), nearOf(message)]
  const key = `${from} ${to} ${text}`
  const isRepeat = before.has(key)
  before.add(key)
  const transport = message.isInternal ? `${message.transport}, between edges` : message.transport
  return { atMs: message.atMs, from, to, transport, text, fromPlace, toPlace, isRepeat }
}

/** `INVITE (SDP)`, `180 Ringing`, `200 OK to BYE`. */
export function titleOf({ text, isRepeat }: Pick<CallMessage, 'text' | 'isRepeat'>): string {
  const [first = ''] = text.split('\r\n', 1)
  const response = /^SIP\/2\.0 (\d{3} ?.*)$/i.exec(first)?.[1]
  const cseq = /\r\ncseq[ \t]*:[ \t]*\d+[ \t]+(\w+)/i.exec(text)?.[1] ?? ''
  const title =
    response === undefined ? first.split(' ', 1)[0] : `${response.trim()}${cseq === 'INVITE' ? '' : ` to ${cseq}`}`
  const sdp = /\r\n(?:content-type|c)[ \t]*:[ \t]*application\/sdp/i.test(text) ? ' (SDP)' : ''
  return `${title}${sdp}${isRepeat ? ', again' : ''}`
}
