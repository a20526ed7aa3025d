// SPDX-License-Identifier: MIT
//
// Takes what proves or protects out of a copy of a message before it is shown: digest responses, bearer tokens, signatures of identities, keys of media, passwords in URIs. Each
// character becomes an x, so that lengths stay right and the message can still be read by machines.
// Left in: who calls whom, and what MESSAGE says (docs/operations/observing.md).

const X = 0x78
const SPACE = 0x20
interface Secret {
  /** Where it may stand: whole lines, a header with those that it is folded onto [RFC3261-7.3.1]. */
  readonly lines: RegExp
  /** In them, with a group `secret`. The `d` flag gives its place. */
  readonly of: RegExp
}

/** Two patterns each, so that no message takes longer than it is long. */
const SECRETS: readonly Secret[] = [
  {
    lines: /^(?:proxy-)?authorization[ \t]*:(?:[^\r\n]|\r?\n[ \t])*/gim,
    of: /^[^:]*:\s*(?!digest\b)\S+\s+(?<secret>[\s\S]+)/dgi,
  },
  {
    lines: /^(?:proxy-)?(?:authorization|authentication-info)[ \t]*:(?:[^\r\n]|\r?\n[ \t])*/gim,
    of: /[\s,:](?:response|rspauth)\s*=\s*"?(?<secret>[^"\s,]+)/dgi,
  },
  { lines: /^(?:identity|y)[ \t]*:(?:[^\r\n]|\r?\n[ \t])*/gim, of: /^[^:]*:\s*(?<secret>[^;]+)/dg },
  { lines: /^a=crypto:[^\r\n]*/gim, of: /inline:(?<secret>[^|; ]+)/dgi },
  { lines: /^a=key-mgmt:[^\r\n]*/gim, of: /:[ \t]*\S+[ \t]+(?<secret>[\s\S]+)/dg },
  { lines: /^a=ice-pwd:[^\r\n]*/gim, of: /:(?<secret>[\s\S]+)/dg },
  { lines: /^k=(?:clear|base64):[^\r\n]*/gim, of: /:(?<secret>[\s\S]+)/dg },
  { lines: /^[^\r\n]*\bsips?:[^\r\n]*/gim, of: /\bsips?:[^\s:;?@<>"]+:(?<secret>[^\s:;?@<>"]+)@/dgi },
]
/** Most messages have none of them: one look that is cheap. */
const MAY_HOLD =
  /authori[sz]ation|authentication-info|^(?:identity|y)[ \t]*:|^a=(?:crypto|key-mgmt|ice-pwd)|^k=|sips?:[^\s:;?@<>"]+:[^\s:;?@<>"]+@/im

/** Overwrites secrets in place. */
export function redact(bytes: Buffer): Buffer {
  const text = bytes.latin1Slice()
  if (!MAY_HOLD.test(text)) return bytes
  for (const { lines, of } of SECRETS) {
    for (const line of text.matchAll(lines)) hideIn(bytes, line, of)
  }
  return bytes
}

function hideIn(bytes: Buffer, { 0: text, index }: RegExpExecArray, secret: RegExp): void {
  for (const match of text.matchAll(secret)) {
    const place = match.indices?.groups?.secret
    if (place !== undefined) hide(bytes, index + place[0], index + place[1])
  }
}

/** Line ends stay: the message is still one. */
function hide(bytes: Buffer, start: number, end: number): void {
  for (let at = start; at < end; at += 1) if ((bytes[at] as number) > SPACE) bytes[at] = X
}
