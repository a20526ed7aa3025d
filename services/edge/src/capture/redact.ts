// SPDX-License-Identifier: MIT
//
// Takes what proves or protects out of a copy of a message before it is shown: digest responses, bearer tokens, signatures of identities, keys of media. Each
// character becomes an x, so that lengths stay right and the message can still be read by machines.
// Left in: who calls whom, and what MESSAGE says (docs/operations/observing.md).

const X = 0x78

/** Each with a group `secret`. The `d` flag gives its place. */
const SECRETS: readonly RegExp[] = [
  /^(?:proxy-)?authorization[ \t]*:[ \t]*(?!digest\b)\S+[ \t]+(?<secret>[^\r\n]+)/dgim,
  /^(?:(?:proxy-)?authorization|(?:proxy-)?authentication-info)[ \t]*:[^\r\n]*?[ \t,](?:response|rspauth)[ \t]*=[ \t]*"?(?<secret>[^"\r\n, \t]+)/dgim,
  /^(?:identity|y)[ \t]*:[ \t]*(?<secret>[^;\r\n]+)/dgim,
  /^a=crypto:[^\r\n]*?inline:(?<secret>[^\r\n|; ]+)/dgim,
  /^a=key-mgmt:[ \t]*\S+[ \t]+(?<secret>[^\r\n]+)/dgim,
  /^a=ice-pwd:(?<secret>[^\r\n]+)/dgim,
  /^k=(?:clear|base64):(?<secret>[^\r\n]+)/dgim,
]

/** Most messages have none of them: one look that is cheap. */
const MAY_HOLD = /authori[sz]ation|authentication-info|^(?:identity|y)[ \t]*:|^a=(?:crypto|key-mgmt|ice-pwd)|^k=/im

/** Overwrites secrets in place. */
export function redact(bytes: Buffer): Buffer {
  const text = bytes.latin1Slice()
  if (!MAY_HOLD.test(text)) return bytes
  for (const pattern of SECRETS) {
    for (const match of text.matchAll(pattern)) {
      const place = match.indices?.groups?.secret
      if (place !== undefined) bytes.fill(X, place[0], place[1])
    }
  }
  return bytes
}
