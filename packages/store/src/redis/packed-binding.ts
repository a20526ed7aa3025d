// SPDX-License-Identifier: MIT
// A binding as Redis holds it, in few bytes: its key, and the payload that scripts do not look into but for its first
// field. Fields of the payload are joined by NUL: uri, instance, reg-id, flow, parameters, user agent, then the Path. What the key says already is left out, and
// words that phones write alike (methods above all) are one control character each. Nothing that a phone may write contains
// these; where it does, they are replaced, or the field is kept as it is behind a mark.

import type { Binding, ContactUpdate, Flow } from '../types.ts'

const SEPARATOR = '\0'
/** Before a field in which control characters stand for themselves. */
const VERBATIM = '\x1f'
/** Code of a word: its place plus one. The order is part of the format. */
const WORDS = [
  ', ',
  ';methods="',
  'INVITE',
  'ACK',
  'BYE',
  'CANCEL',
  'OPTIONS',
  'NOTIFY',
  'REFER',
  'MESSAGE',
  'UPDATE',
  'SUBSCRIBE',
  'INFO',
  'PRACK',
  'PUBLISH',
  'REGISTER',
  '<urn:uuid:',
  '<sip:',
  ';transport=',
  ';lr',
  ';ob',
] as const
const CODES = new Map<string, string>(WORDS.map((word, at) => [word, String.fromCharCode(at + 1)]))
const WORD = new RegExp(WORDS.join('|'), 'g')
const CODE = new RegExp(`[\\x01-${String.fromCharCode(WORDS.length)}]`, 'g')
// Of a list of methods the commas are left out.
const COMMA = '\x01'
const METHODS = String.fromCharCode(WORDS.indexOf('INVITE') + 1, 0x2d, WORDS.indexOf('REGISTER') + 1)
const TOUCHING = new RegExp(`[${METHODS}][${METHODS}]`)
const COMMA_BETWEEN = new RegExp(`(?<=[${METHODS}])${COMMA}(?=[${METHODS}])`, 'g')
const BETWEEN = new RegExp(`(?<=[${METHODS}])(?=[${METHODS}])`, 'g')
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f]/

const FLOW = 'flow:'
const UUID = '<urn:uuid:'
const PACKED_FLOW = '\x01'
const PACKED_UUID = '\x02'
/** Before a UUID in lower case, as RFC 4122 wants it written: 22 characters instead of 46. */
const PACKED_WHOLE = '\x03'
const WHOLE = /^([^;]*;)<urn:uuid:([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})>$/
const ID_AS_IT_IS = '\x01'
const ID_OF_HEX = '\x02'
const ID_OF_UUID = '\x03'
const ID_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const ID_HEX = /^(?:[0-9a-f]{2}){8,}$/

/** Keys of flows alone become shorter: those of URIs are read by scripts. */
export function packKey(uriKey: string): string {
  if (!uriKey.startsWith(FLOW)) return uriKey
  const flow = uriKey.slice(FLOW.length)
  const [, regId = '', uuid] = WHOLE.exec(flow) ?? []
  return PACKED_FLOW + (uuid === undefined ? flow.replace(UUID, PACKED_UUID) : regId + PACKED_WHOLE + packUuid(uuid))
}

export function unpackKey(packed: string): string {
  if (!packed.startsWith(PACKED_FLOW)) return packed
  const at = packed.indexOf(PACKED_WHOLE)
  if (at < 0) return FLOW + packed.slice(PACKED_FLOW.length).replace(PACKED_UUID, UUID)
  return `${FLOW}${packed.slice(PACKED_FLOW.length, at)}${UUID}${unpackUuid(packed.slice(at + 1))}>`
}

/** A Call-ID; scripts compare it, and look no further. */
export function packId(id: string): string {
  if (ID_UUID.test(id)) return ID_OF_UUID + packUuid(id)
  if (ID_HEX.test(id)) return ID_OF_HEX + Buffer.from(id, 'hex').toString('base64url')
  return id.charCodeAt(0) <= 3 ? ID_AS_IT_IS + id : id
}

export function unpackId(packed: string): string {
  const rest = packed.slice(1)
  if (packed.startsWith(ID_OF_UUID)) return unpackUuid(rest)
  if (packed.startsWith(ID_OF_HEX)) return Buffer.from(rest, 'base64url').toString('hex')
  return packed.startsWith(ID_AS_IT_IS) ? rest : packed
}

function packUuid(uuid: string): string {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url')
}

function unpackUuid(packed: string): string {
  const hex = Buffer.from(packed, 'base64url').toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

export type Payload = Pick<Binding, 'uri' | 'instanceId' | 'regId' | 'flow' | 'path' | 'params' | 'userAgent'>

export function packPayload(contact: ContactUpdate, userAgent: string): string {
  const { uri, uriKey, instanceId, regId, flow, path, params } = contact
  const isNamed = uriKey === keyOf(instanceId, regId)
  const fields = [
    uri === uriKey ? '' : clean(uri),
    isNamed ? '' : shorten(instanceId),
    isNamed || regId === 0 ? '' : String(regId),
    flow?.transport ?? '',
    flow?.address ?? '',
    flow === undefined ? '' : String(flow.port),
    flow?.edgeId ?? '',
    flow === undefined || flow.flowId === 0 ? '' : String(flow.flowId),
    flow?.natEdge ?? '',
    shorten(params),
    shorten(userAgent),
  ]
  for (const value of path) fields.push(shorten(value))
  return fields.join(SEPARATOR)
}

export function unpackPayload(uriKey: string, packed: string): Payload {
  const [uri = '', instance = '', regId = '', transport = '', ...more] = packed.split(SEPARATOR)
  const [address = '', port = '', edgeId = '', flowId = '', natEdge = '', params = '', userAgent = '', ...path] = more
  const named = instance === '' && regId === '' ? flowOfKey(uriKey) : undefined
  return {
    uri: uri === '' ? uriKey : uri,
    instanceId: named?.instanceId ?? restore(instance),
    regId: named?.regId ?? Number(regId),
    flow: transport === '' ? undefined : flowOf(transport, address, port, edgeId, flowId, natEdge),
    path: path.map(restore),
    params: restore(params),
    userAgent: restore(userAgent),
  }
}

const keyOf = (instanceId: string, regId: number): string => `${FLOW}${regId};${instanceId}`

function flowOfKey(uriKey: string): { instanceId: string; regId: number } | undefined {
  if (!uriKey.startsWith(FLOW)) return undefined
  const at = uriKey.indexOf(';')
  return { regId: Number(uriKey.slice(FLOW.length, at)), instanceId: uriKey.slice(at + 1) }
}

function flowOf(
  transport: string,
  address: string,
  port: string,
  edgeId: string,
  flowId: string,
  natEdge: string,
): Flow {
  const plain = { transport, address, port: Number(port), edgeId, flowId: Number(flowId) }
  return natEdge === '' ? plain : { ...plain, natEdge }
}

function clean(text: string): string {
  return text.includes(SEPARATOR) ? text.replaceAll(SEPARATOR, '\ufffd') : text
}

function shorten(text: string): string {
  if (text === '') return text
  if (CONTROL.test(text)) return VERBATIM + clean(text)
  const coded = text.replace(WORD, (word) => CODES.get(word) as string)
  return TOUCHING.test(coded) ? VERBATIM + text : coded.replace(COMMA_BETWEEN, '')
}

function restore(text: string): string {
  if (text === '') return text
  if (text.startsWith(VERBATIM)) return text.slice(VERBATIM.length)
  return text.replace(BETWEEN, COMMA).replace(CODE, (code) => WORDS[code.charCodeAt(0) - 1] as string)
}
