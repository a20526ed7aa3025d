// SPDX-License-Identifier: MIT
//
// What a proxy has changed in a request, found by comparing texts line by line, with nothing of @tandem/sip. Allowed by RFC 3261 §16.6:
// a new Request-URI, Max-Forwards one less or added, our Via and Record-Route added, received and rport in the Via of the previous hop,
// leading Route values of ours removed, Max-Breadth added [RFC5393-5.3.3]. Whatever else differs is `unexplained`.

export interface ForwardingDifference {
  readonly addedVias: number
  readonly addedRecordRoutes: number
  readonly removedRoutes: number
  /** In words, empty where everything is allowed. */
  readonly unexplained: readonly string[]
}

/** @param own sent-by of the proxy */
export function forwardingDifference(came: string, left: string, own: string): ForwardingDifference {
  const before = split(came)
  const after = split(left)
  const seen = { addedVias: 0, addedRecordRoutes: 0, removedRoutes: 0 }
  const unexplained: string[] = []
  if (!sameButUri(before.start, after.start)) unexplained.push(`request line: ${after.start}`)
  if (after.body !== bodyOf(before)) unexplained.push('body')
  let at = 0
  for (const line of after.lines) {
    if (line.startsWith(`Via: SIP/2.0/UDP ${own};branch=z9hG4bK`)) seen.addedVias += 1
    else if (line.startsWith('Record-Route: <sip:') && line.endsWith(`@${own};lr>`)) seen.addedRecordRoutes += 1
    else if (line === 'Max-Forwards: 70' && !before.lines.some(isMaxForwards)) continue
    else if (line === 'Max-Breadth: 60' && !before.lines.some(isMaxBreadth)) continue
    else {
      while (isRoute(before.lines[at]) && before.lines[at] !== line) {
        seen.removedRoutes += 1
        at += 1
      }
      if (!isAllowed(before.lines[at], line)) unexplained.push(`${before.lines[at]} became ${line}`)
      at += 1
    }
  }
  for (const lost of before.lines.slice(at)) unexplained.push(`lost: ${lost}`)
  return { ...seen, unexplained }
}

interface Parts {
  readonly start: string
  /** Each with its folds, without its CRLF. */
  readonly lines: readonly string[]
  readonly body: string
}

function split(text: string): Parts {
  const end = text.indexOf('\r\n\r\n')
  const [start = '', ...lines] = text.slice(0, end).split(/\r\n(?![ \t])/)
  return { start, lines, body: text.slice(end + 4) }
}

/** The body as far as its Content-Length goes, where there is one. */
function bodyOf({ lines, body }: Parts): string {
  const length = lines.map((line) => /^(?:content-length|l)[ \t]*:\s*(\d+)$/i.exec(line)?.[1]).find(Boolean)
  return length === undefined ? body : body.slice(0, Number(length))
}

function sameButUri(before: string, after: string): boolean {
  const [method, , version] = before.split(' ')
  const parts = after.split(' ')
  return parts.length === 3 && parts[0] === method && parts[2] === version
}

function isRoute(line: string | undefined): boolean {
  return line !== undefined && /^route[ \t]*:/i.test(line)
}

function isMaxForwards(line: string): boolean {
  return /^max-forwards[ \t]*:/i.test(line)
}

function isMaxBreadth(line: string): boolean {
  return /^max-breadth[ \t]*:/i.test(line)
}

function isAllowed(before: string | undefined, after: string): boolean {
  if (before === undefined) return false
  if (before === after) return true
  if (isMaxForwards(before)) return oneLess(before, after)
  return /^(via|v)[ \t]*:/i.test(before) && withoutSource(before) === withoutSource(after)
}

function oneLess(before: string, after: string): boolean {
  const [, name, digits] = /^(\D+)(\d+)$/.exec(before) ?? []
  return after === `${name}${Number(digits) - 1}`
}

/** A Via without what the next hop writes into it. */
function withoutSource(via: string): string {
  return via.replace(/;\s*(received|rport)(\s*=\s*[^;,\s]*)?/gi, '')
}
