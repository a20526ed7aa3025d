// SPDX-License-Identifier: MIT
//
// How a webhook proves where it comes from: HMAC-SHA256 over `<unix seconds>.<body>`, in one header that carries the time
// too. Several secrets sign at once, so that a receiver can change over without a gap. docs/sinks.md describes it for
// receivers. Pure.
import { createHmac, timingSafeEqual } from 'node:crypto'

export const SIGNATURE_HEADER = 'tandem-signature'

/** Age at which a receiver should refuse a signature: a captured request can't be replayed later. */
export const SIGNATURE_TOLERANCE_S = 300

function macOf(secret: string, unixSeconds: number, body: string): string {
  return createHmac('sha256', secret).update(`${unixSeconds}.${body}`).digest('hex')
}

/** Value of the header: `t=1700000000,v1=<hex>`, with one v1 per secret, in their order. */
export function signWebhook(secrets: readonly string[], unixSeconds: number, body: string): string {
  return [`t=${unixSeconds}`, ...secrets.map((secret) => `v1=${macOf(secret, unixSeconds, body)}`)].join(',')
}

/** As a receiver does it: the time is near, and one of the signatures is right. */
export function verifyWebhook(
  header: string,
  secret: string,
  body: string,
  nowUnixSeconds: number,
  toleranceS: number = SIGNATURE_TOLERANCE_S,
): boolean {
  const fields = header.split(',').map((field) => field.trim())
  const time = /^t=(\d{1,15})$/.exec(fields.find((field) => field.startsWith('t=')) ?? '')?.[1]
  if (time === undefined || Math.abs(nowUnixSeconds - Number(time)) > toleranceS) return false
  const expected = Buffer.from(macOf(secret, Number(time), body), 'hex')
  return fields.some((field) => {
    const given = Buffer.from(field.startsWith('v1=') ? field.slice(3) : '', 'hex')
    return given.length === expected.length && timingSafeEqual(given, expected)
  })
}
