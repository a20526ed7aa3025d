// SPDX-License-Identifier: MIT
//
// Where one request has been sent (History-Info, RFC 7044 section 9): what its entries were when it came, one entry for each branch
// of ours and each user it was mapped to on the way, with the reason for which a branch failed, and what the responses told of
// places beyond. Written into each branch and into every response but 100.
//
// Indexes [RFC7044-10.3]: everything that this proxy does with the request is numbered in the order of doing below the entry of
// the Request-URI; a branch knows those before it that have had a response, never one that is still ringing.
// Bounds: MAX_URI of an entry, MAX_REASON of a Reason, MAX_ENTRIES of a request or of its responses; a request with more passes with what it has.
// Left out: Privacy of single entries that we write ourselves (nobody asks us to hide our own targets).

import {
  compareHistoryIndexes,
  encodeHistoryEntry,
  type HistoryEntry,
  isPrivateEntry,
  PRIVACY,
  parseHistoryEntry,
  privacyOf,
  uriHeader,
  withoutUriHeader,
} from '../header/index.ts'
import {
  type Edits,
  eachHeaderValue,
  findHeader,
  HEADER,
  hasToken,
  headerLineEnd,
  headerLineStart,
  headerValueEnd,
  headerValueStart,
  type SipMessage,
} from '../message/index.ts'
import { compareUris, parseUri, uriParam } from '../uri/index.ts'

/** When History-Info is written: where it was asked for, always, never. */
export type HistoryMode = 'onRequest' | 'always' | 'off'

/** A branch as the history sees it. */
export interface HistoryTarget {
  readonly branchId: string
  /** Request-URI of the branch. */
  readonly uri: string
  /** Canonical AoR that the branch's contact belongs to, '' for a target that is a URI. */
  readonly aor: string
  /** The user who was called in whose place this one is, '' where the user is the same. */
  readonly mappedFrom: string
  /** `rc=…`, `mp=…` or '' of the Contact of a 3xx that is followed; undefined where none is. */
  readonly redirected: string | undefined
  /** The next hop is within the trust domain. */
  readonly trusted: boolean
}

const MAX_ENTRIES = 40
/** Longest URI and longest entry of a response that are written down: what a message may grow by stays below its buffer. */
const MAX_URI = 512
const MAX_REASON = 128
/** An entry of ours but for its URI, the host of a tel URI's SIP form, and the indexes in it: a redirect's parameter, ANONYMOUS, the rest. */
const MOST_FRAME = 70 + 32 + 60
const ANONYMOUS = 'sip:anonymous@anonymous.invalid' // [RFC3323-4.1.1.3]

interface OwnEntry {
  entry: HistoryEntry
  /** '' for a user that the request was mapped to within this proxy. */
  branchId: string
  /** What the branch was mapped to first, if it was. */
  readonly via: OwnEntry | undefined
  /** A response came, or the time for one is over: later branches and responses tell of it. */
  isKnown: boolean
  /** Its way failed, not its target: the branch that takes another way to it is the same entry [RFC3263-4.3]. */
  isLost: boolean
}

/**
 * The history of a request that asks for one, or undefined: nothing is written then.
 * @param host for the SIP form of a tel URI [RFC3261-19.1.6]
 */
export function openHistory(request: SipMessage, mode: HistoryMode, host: string): RequestHistory | undefined {
  if (mode === 'off') return undefined
  const has = findHeader(request, HEADER.HISTORY_INFO) >= 0
  const isAsked = has || hasToken(request, HEADER.SUPPORTED, 'histinfo')
  if (!isAsked && mode !== 'always') return undefined
  const received = has ? readEntries(request) : []
  return received === undefined ? undefined : new RequestHistory(request, received, isAsked, host)
}

/** Undefined: more than we keep, or one that can't be read. */
function readEntries(msg: SipMessage): HistoryEntry[] | undefined {
  const entries: HistoryEntry[] = []
  const cursor = eachHeaderValue(msg, HEADER.HISTORY_INFO)
  while (cursor.next()) {
    const entry = parseHistoryEntry(msg.text(cursor.start, cursor.end))
    if (entry === undefined || entries.length === MAX_ENTRIES) return undefined
    entries.push(entry)
  }
  return entries
}

export class RequestHistory {
  /** The caller's side may see the entries in responses [RFC7044-9.4]. */
  readonly answersUp: boolean
  private readonly received: readonly HistoryEntry[]
  /** The entry of the Request-URI that came, written for the hop before where it did not [RFC7044-9.1]. */
  private readonly behalf: HistoryEntry | undefined
  private readonly called: HistoryEntry
  /** Host of the Request-URI: the domain that we answer for. */
  private readonly domain: string
  private readonly host: string
  private readonly own: OwnEntry[] = []
  private readonly told: HistoryEntry[] = []

  constructor(request: SipMessage, received: readonly HistoryEntry[], answersUp: boolean, host: string) {
    this.answersUp = answersUp
    this.received = received
    this.host = host
    this.domain = request.uriHostStart < 0 ? host : request.text(request.uriHostStart, request.uriHostEnd).toLowerCase()
    const uri = sipForm(request.text(request.uriStart, request.uriEnd), host)
    const last = received.at(-1)
    if (last !== undefined && isSameTarget(last.uri, uri)) {
      this.behalf = undefined
      this.called = last
    } else {
      // [RFC7044-10.3] 1 where it is the first, `.0` where there is a gap
      this.called = entryOf(uri, last === undefined ? '1' : `${last.index}.0`, '')
      this.behalf = this.called
    }
  }

  /**
   * Adds the branch's entry, and those that later branches are to know, to its copy of the request.
   * @returns the PRIVACY bits that are seen to by that: for `editIdentity`
   */
  edit(request: SipMessage, edits: Edits, target: HistoryTarget): number {
    const own = this.addBranch(target)
    if (own === undefined) return 0
    const isHidden = !target.trusted && asksPrivacy(request)
    const lines = this.newEntries(own).map((entry) => lineOf(this.shown(entry, target.trusted, isHidden, true)))
    const last = lastHeader(request)
    const isFree = last >= 0 && !edits.touches(headerLineStart(request, last), headerLineEnd(request, last))
    if (!target.trusted) this.editReceived(request, edits, isHidden)
    edits.insert(isFree ? headerLineEnd(request, last) : request.headersStart, lines.join(''))
    return isHidden ? PRIVACY.HISTORY : 0
  }

  /** What `edit` adds to a copy at the most, in bytes: for the size that decides how it is sent. */
  mostAdded(uri: string, aor: string): number {
    let bytes = this.received.length * (ANONYMOUS.length + 2) // each may be hidden, and they are joined anew
    for (const entry of this.newEntries(undefined)) bytes += lineOf(entry).length + ANONYMOUS.length
    const frame = MOST_FRAME + 2 * this.called.index.length + this.host.length
    return bytes + frame + uri.length + (aor === '' ? 0 : frame + aor.length)
  }

  /** A response other than 100, or its absence. @param msg undefined for a failure without a response: 408, 503 */
  onResponse(branchId: string, status: number, msg: SipMessage | undefined): void {
    const own = this.own.find((one) => one.branchId === branchId)
    if (own === undefined || status === 100) return
    own.isKnown = true // [RFC7044-9.3] step 1
    own.isLost = msg === undefined || status === 503 || status === 430
    if (own.via !== undefined) own.via.isKnown = true
    if (status >= 300) own.entry = withReason(own.entry, status, msg) // step 2
    if (msg !== undefined) this.takeTold(msg) // step 3
  }

  /** History-Info lines for a response, '' where none may go up. @param upTrusted who called is within the trust domain */
  lines(response: SipMessage | undefined, upTrusted: boolean): string {
    if (!this.answersUp) return '' // [RFC7044-9.4]
    const isHidden = !upTrusted && response !== undefined && asksPrivacy(response)
    const entries = [...this.received, ...this.newEntries(undefined)]
    return entries.map((entry, k) => lineOf(this.shown(entry, upTrusted, isHidden, k >= this.received.length))).join('')
  }

  /** `;rc=…` for a Contact of a 3xx of ours: the bindings of the user who was called [RFC7044-8]. */
  get contactParam(): string {
    return `;rc=${this.called.index}`
  }

  private addBranch(target: HistoryTarget): OwnEntry | undefined {
    if (this.received.length + this.own.length + 2 > MAX_ENTRIES || target.uri.length > MAX_URI) return undefined
    const mapped = target.mappedFrom !== '' && target.aor !== '' ? this.mapped(target) : undefined
    const uri = sipForm(target.uri, this.host)
    const again = this.own.find((one) => one.isLost && one.entry.uri === uri && one.via === mapped)
    if (again !== undefined) return takeAgain(again, target.branchId)
    const entry = entryOf(uri, this.nextIndex(), this.targetParam(target, uri, mapped))
    const own = { entry, branchId: target.branchId, via: mapped, isKnown: false, isLost: false }
    this.own.push(own)
    return own
  }

  /** [RFC7044-7] The user that the request was mapped to before it went to a contact of his: one entry for all of his contacts. */
  private mapped(target: HistoryTarget): OwnEntry {
    const known = this.own.find((one) => one.branchId === '' && one.entry.uri === target.aor)
    if (known !== undefined) return known
    const entry = entryOf(target.aor, this.nextIndex(), `;mp=${this.indexOf(target.mappedFrom)}`)
    const own = { entry, branchId: '', via: undefined, isKnown: false, isLost: false }
    this.own.push(own)
    return own
  }

  /** [RFC7044-10.3] rules 2 to 5. */
  private nextIndex(): string {
    return `${this.called.index}.${this.own.length + 1}`
  }

  /** [RFC7044-10.4] */
  private targetParam(target: HistoryTarget, uri: string, mapped: OwnEntry | undefined): string {
    if (target.redirected !== undefined) return target.redirected === '' ? '' : `;${target.redirected}`
    if (mapped !== undefined) return `;rc=${mapped.entry.index}`
    if (target.mappedFrom !== '') return `;mp=${this.indexOf(target.mappedFrom)}`
    return isSameTarget(uri, this.called.uri) ? `;np=${this.called.index}` : `;rc=${this.called.index}`
  }

  /** The entry of the user whose call goes elsewhere; that of the Request-URI where he has none. */
  private indexOf(uri: string): string {
    const found = this.own.findLast((one) => one.entry.uri === uri)
    return (found?.entry ?? this.called).index
  }

  /** What comes behind the entries that were received, in the order of their indexes [RFC7044-9.2]. */
  private newEntries(current: OwnEntry | undefined): HistoryEntry[] {
    const known = this.own.filter((one) => one.isKnown || one === current || one === current?.via)
    const entries = [...known.map(({ entry }) => entry), ...this.told]
    entries.sort((a, b) => compareHistoryIndexes(a.index, b.index))
    return this.behalf === undefined ? entries : [this.behalf, ...entries]
  }

  /** [RFC7044-9.3] step 3: what the response knows below our entry and we do not. */
  private takeTold(response: SipMessage): void {
    if (findHeader(response, HEADER.HISTORY_INFO) < 0) return
    for (const entry of readEntries(response) ?? []) {
      const isBelow = entry.index.startsWith(`${this.called.index}.`)
      const isFull = this.told.length + this.own.length + this.received.length >= MAX_ENTRIES
      const isShort = encodeHistoryEntry(entry).length <= MAX_URI
      if (isBelow && isShort && !isFull && !this.has(entry)) this.told.push(entry)
    }
  }

  private has(entry: HistoryEntry): boolean {
    if (this.own.some((one) => one.entry.index === entry.index)) return true
    return this.told.some((one) => one.index === entry.index && one.uri === entry.uri)
  }

  /** [RFC7044-10.1.2] Entries that came and are of our domain, as an untrusted target may see them. */
  private editReceived(request: SipMessage, edits: Edits, isHidden: boolean): void {
    for (
      let k = findHeader(request, HEADER.HISTORY_INFO);
      k >= 0;
      k = findHeader(request, HEADER.HISTORY_INFO, k + 1)
    ) {
      if (edits.touches(headerLineStart(request, k), headerLineEnd(request, k))) continue
      const cursor = eachHeaderValue(request, HEADER.HISTORY_INFO).resetToHeader(request, k)
      const shown: string[] = []
      let isChanged = false
      while (cursor.next()) {
        const entry = parseHistoryEntry(request.text(cursor.start, cursor.end)) as HistoryEntry
        const seen = this.shown(entry, false, isHidden, false)
        isChanged ||= seen !== entry
        shown.push(encodeHistoryEntry(seen))
      }
      if (isChanged) edits.replace(headerValueStart(request, k), headerValueEnd(request, k), shown.join(', '))
    }
  }

  /** The entry as this side may see it; the same object where nothing of it is hidden. */
  private shown(entry: HistoryEntry, isTrusted: boolean, isHidden: boolean, isOwn: boolean): HistoryEntry {
    if (isTrusted || !(isHidden || isPrivateEntry(entry))) return entry
    if (!isOwn && hostOf(entry.uri) !== this.domain) return entry
    return { ...entry, display: '', uri: ANONYMOUS, headers: withoutUriHeader(entry.headers, 'privacy') }
  }
}

function takeAgain(own: OwnEntry, branchId: string): OwnEntry {
  own.entry = { ...own.entry, headers: '' }
  own.branchId = branchId
  own.isKnown = false
  own.isLost = false
  return own
}

function entryOf(uri: string, index: string, params: string): HistoryEntry {
  return { display: '', uri, headers: '', index, params }
}

function lineOf(entry: HistoryEntry): string {
  return `History-Info: ${encodeHistoryEntry(entry)}\r\n`
}

/** [RFC7044-10.1.2] `header` and `history` mean all entries. */
function asksPrivacy(msg: SipMessage): boolean {
  const privacy = privacyOf(msg)
  return (privacy & (PRIVACY.HEADER | PRIVACY.HISTORY)) !== 0 && (privacy & PRIVACY.NONE) === 0
}

function lastHeader(msg: SipMessage): number {
  let last = -1
  for (let k = findHeader(msg, HEADER.HISTORY_INFO); k >= 0; k = findHeader(msg, HEADER.HISTORY_INFO, k + 1)) last = k
  return last
}

/** [RFC7044-10.2] The status, and what the response's Reason says of other protocols. A tel URI has no place for them. */
function withReason(entry: HistoryEntry, status: number, msg: SipMessage | undefined): HistoryEntry {
  const reasons = [uriHeader('Reason', `SIP;cause=${status}`)]
  if (msg?.has(HEADER.REASON)) {
    const cursor = eachHeaderValue(msg, HEADER.REASON)
    while (cursor.next() && reasons.length < 4) {
      const value = msg.text(cursor.start, cursor.end)
      if (value.length > MAX_REASON) continue
      if (!/^sip\s*(?:;|$)/i.test(value)) reasons.push(uriHeader('Reason', value))
    }
  }
  return { ...entry, headers: [withoutUriHeader(entry.headers, 'reason'), ...reasons].filter(Boolean).join('&') }
}

/** A tel URI as a SIP URI [RFC3261-19.1.6]; other URIs without their headers. */
function sipForm(text: string, host: string): string {
  if (text.slice(0, 4).toLowerCase() === 'tel:') return `sip:${text.slice(4)}@${host};user=phone`
  const at = text.indexOf('?')
  return at < 0 ? text : text.slice(0, at)
}

/** By the rules of [RFC3261-19.1.4]; the SIP form of a number by its user part. */
function isSameTarget(a: string, b: string): boolean {
  if (a === b) return true
  const left = parseUri(a)
  const right = parseUri(b)
  if (left === undefined || right === undefined) return false
  if (uriParam(left, 'user') === 'phone' && uriParam(right, 'user') === 'phone') return left.user === right.user
  return compareUris({ ...left, headers: '' }, { ...right, headers: '' })
}

function hostOf(uri: string): string {
  return parseUri(uri)?.host.toLowerCase() ?? ''
}
