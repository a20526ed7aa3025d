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
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f]/

const FLOW = 'flow:'
const UUID = '<urn:uuid:'
const PACKED_FLOW = '\x01'
const PACKED_UUID = '\x02'

/** Keys of flows alone become shorter: those of URIs are read by scripts. */
export function packKey(uriKey: string): string {
  if (!uriKey.startsWith(FLOW)) return uriKey
  return PACKED_FLOW + uriKey.slice(FLOW.length).replace(UUID, PACKED_UUID)
}

export function unpackKey(packed: string): string {
  if (!packed.startsWith(PACKED_FLOW)) return packed
  return FLOW + packed.slice(PACKED_FLOW.length).replace(PACKED_UUID, UUID)
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
  return text.replace(WORD, (word) => CODES.get(word) as string)
}

function restore(text: string): string {
  if (text === '') return text
  if (text.startsWith(VERBATIM)) return text.slice(VERBATIM.length)
  return text.replace(CODE, (code) => WORDS[code.charCodeAt(0) - 1] as string)
}
