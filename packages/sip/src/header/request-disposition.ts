// SPDX-License-Identifier: MIT
// What a caller wants servers to do with his request: Request-Disposition [RFC3841-9.1]. One directive of a kind counts, the first.
// Left out: queue and no-queue, because nothing here queues calls; Accept-Contact and Reject-Contact, which pass untouched.
import { ValueCursor } from '../message/cursor.ts'
import { HEADER } from '../message/header-ids.ts'
import { findHeader, type SipMessage } from '../message/message.ts'

/** Each is undefined where the caller says nothing of its kind. */
export interface RequestDisposition {
  readonly way: 'proxy' | 'redirect' | undefined
  /** false: the best address alone. */
  readonly fork: boolean | undefined
  readonly order: 'parallel' | 'sequential' | undefined
  /** false: no CANCEL after a 2xx; one after a 6xx all the same. */
  readonly cancel: boolean | undefined
  /** false: a 3xx goes upstream. */
  readonly recurse: boolean | undefined
}

type Draft = { -readonly [K in keyof RequestDisposition]: RequestDisposition[K] }

/** What a request without the header asks for. */
export const NO_DISPOSITION: RequestDisposition = {
  way: undefined,
  fork: undefined,
  order: undefined,
  cancel: undefined,
  recurse: undefined,
}

const cursor = new ValueCursor()

/** Directives of any case; those that are not known are ignored. */
export function requestDisposition(request: SipMessage): RequestDisposition {
  if (findHeader(request, HEADER.REQUEST_DISPOSITION) < 0) return NO_DISPOSITION
  const draft: Draft = { ...NO_DISPOSITION }
  cursor.reset(request, HEADER.REQUEST_DISPOSITION)
  while (cursor.next()) take(draft, request.text(cursor.start, cursor.end).toLowerCase())
  return draft
}

function take(draft: Draft, directive: string): void {
  switch (directive) {
    case 'proxy':
    case 'redirect':
      draft.way ??= directive
      return
    case 'parallel':
    case 'sequential':
      draft.order ??= directive
      return
    case 'fork':
    case 'no-fork':
      draft.fork ??= directive === 'fork'
      return
    case 'cancel':
    case 'no-cancel':
      draft.cancel ??= directive === 'cancel'
      return
    case 'recurse':
    case 'no-recurse':
      draft.recurse ??= directive === 'recurse'
  }
}
