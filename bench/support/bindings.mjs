// SPDX-License-Identifier: MIT
//
// Bindings as location gives them to the store, of phones that are told apart by a number, and a store full of them.
import { createHash } from 'node:crypto'

const BATCH = 2_000

const hex = (text) => createHash('sha1').update(text).digest('hex')

/** n → the contact as location gives it to the store, its Call-ID and User-Agent. */
export const PHONES = {
  /** Behind TCP with RFC 5626: instance, reg-id, a connection of an edge, methods as linphone and pjsip write them. */
  outbound(n) {
    const id = hex(`instance ${n}`)
    const uuid = `${id.slice(0, 8)}-${id.slice(8, 12)}-4${id.slice(12, 15)}-8${id.slice(15, 18)}-${id.slice(18, 30)}`
    const instanceId = `<urn:uuid:${uuid}>`
    const [a, b] = [(n >> 16) & 255, n & 255]
    const uri = `sip:1555${String(n).padStart(7, '0')}@10.${a}.7.${b}:${49_152 + (n % 16_000)};transport=tcp;ob`
    const flow = {
      transport: 'tcp',
      address: `203.0.${a}.${b}`,
      port: 49_152 + (n % 16_000),
      edgeId: 'tandem-edge-0.mhb2k3xv',
      flowId: 2_000_000 + n,
    }
    const params = ';methods="INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER, MESSAGE, UPDATE"'
    const contact = { uriKey: `flow:1;${instanceId}`, uri, instanceId, regId: 1, flow, path: [], params }
    return { contact, callId: hex(`call ${n}`).slice(0, 32), userAgent: 'Yealink SIP-T46S 66.85.0.5' }
  },
  /** The same behind another proxy, with its Path. */
  path(n) {
    const phone = PHONES.outbound(n)
    const path = [`<sip:${hex(`flow ${n}`).slice(0, 24)}@edge-proxy-1.example.test;transport=tcp;lr;ob>`]
    return { ...phone, contact: { ...phone.contact, path } }
  },
  /** Over UDP behind a NAT, as RFC 3261 has it. */
  udp(n) {
    const [a, b] = [(n >> 16) & 255, n & 255]
    const uri = `sip:1555${String(n).padStart(7, '0')}@192.168.${a}.${b}:5060`
    const flow = {
      transport: 'udp',
      address: `203.0.${a}.${b}`,
      port: 1_024 + (n % 60_000),
      edgeId: '',
      flowId: 0,
      natEdge: 'tandem-edge-0.mhb2k3xv',
    }
    const contact = { uriKey: uri, uri, instanceId: '', regId: 0, flow, path: [], params: '' }
    return {
      contact,
      callId: `${hex(`call ${n}`).slice(0, 20)}@192.168.${a}.${b}`,
      userAgent: 'Grandstream GXP2160 1.0.11',
    }
  },
}

/** The REGISTER of the nth phone. */
export function update(phones, n, cseq) {
  const { contact, callId, userAgent } = PHONES[phones](n)
  return {
    aor: `sip:1555${String(n).padStart(7, '0')}@pbx.example.test`,
    callId,
    cseq,
    removeAll: false,
    contacts: [{ ...contact, expiresS: 3_600, qMilli: 1_000 }],
    alsoRemove: [],
    maxContacts: 10,
    replaceOldest: false,
    registrationHash: 1 + n,
    userAgent,
  }
}

/** Throws where it was not stored. */
export function must(result) {
  if (result.state !== 'stored' || (result.value.result ?? 'ok') !== 'ok')
    throw new Error(`${result.state} ${result.detail ?? result.value?.result}`)
}

/** The first `aors` phones register. */
export async function fill(store, phones, aors) {
  for (let from = 0; from < aors; from += BATCH) {
    const count = Math.min(BATCH, aors - from)
    const asked = Array.from({ length: count }, (_, i) => store.location.register(update(phones, from + i, 1)))
    for (const result of await Promise.all(asked)) must(result)
  }
}
