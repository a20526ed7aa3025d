// SPDX-License-Identifier: MIT
//
// A key ring as processes tell it to one another and to `tandem doctor`: ids and fingerprints, in its order. From a fingerprint nobody gets the secret;
// two secrets under one id show.
import { createHmac } from 'node:crypto'
import type { KeyRing } from './config/views.ts'

const FINGERPRINT_CHARS = 8

/** `2:9f01c3aa,1:77b0e254`: the first key signs. */
export function keyRingText(ring: KeyRing): string {
  return ring.map(({ id, secret }) => `${id}:${fingerprint(secret)}`).join(',')
}

function fingerprint(secret: string): string {
  return createHmac('sha256', secret).update('tandem fingerprint').digest('hex').slice(0, FINGERPRINT_CHARS)
}
