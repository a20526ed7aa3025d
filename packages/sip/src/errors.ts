// SPDX-License-Identifier: MIT
// The registry of this package's errors. Scan errors are values: they end in a response or a counted drop. SipBug is for callers'
// mistakes only and is the one thing that this package throws.

/** Outcome codes of scan(): 0 is success. */
export const SCAN_ERROR = {
  NONE: 0,
  KEEP_ALIVE: 1,
  INCOMPLETE: 2,
  BAD_START_LINE: 3,
  BAD_REQUEST_URI: 4,
  BAD_VERSION: 5,
  BAD_STATUS: 6,
  BAD_HEADER: 7,
  BAD_CHARACTER: 8,
  BAD_LINE_END: 9,
  LINE_TOO_LONG: 10,
  TOO_MANY_HEADERS: 11,
  DUPLICATE_HEADER: 12,
  MISSING_HEADER: 13,
  BAD_VIA: 14,
  BAD_FROM: 15,
  BAD_TO: 16,
  BAD_CALL_ID: 17,
  BAD_CSEQ: 18,
  CSEQ_METHOD_MISMATCH: 19,
  BAD_MAX_FORWARDS: 20,
  BAD_CONTENT_LENGTH: 21,
  BODY_TRUNCATED: 22,
  URI_HEADERS: 23,
  HEADERS_TOO_LARGE: 24,
} as const

export interface ScanErrorInfo {
  /** Stable name, also the metric label. */
  readonly name: string
  readonly meaning: string
  /** Status for a request that can be answered; 0: dropped and counted. Responses are always dropped. */
  readonly status: number
  readonly reason: string
  readonly logLevel: 'debug' | 'info'
}

function info(name: string, status: number, reason: string, meaning: string): ScanErrorInfo {
  return { name, status, reason, meaning, logLevel: status === 0 ? 'debug' : 'info' }
}

/** Indexed by SCAN_ERROR code. */
export const SCAN_ERRORS: readonly ScanErrorInfo[] = [
  info('none', 0, '', 'No error.'),
  info('keep_alive', 0, '', 'Nothing but line ends, blanks or NULs: a keep-alive, not a message.'),
  info('incomplete', 400, 'Bad Request: no end of headers', 'The bytes end before the empty line.'),
  info('bad_start_line', 400, 'Bad Request: malformed start line', 'Neither a request line nor a status line.'),
  info('bad_request_uri', 400, 'Bad Request: malformed Request-URI', 'The Request-URI breaks the grammar.'),
  info('bad_version', 505, 'Version Not Supported', 'A SIP version other than 2.0.'),
  info('bad_status', 0, '', 'A status code that is not three digits from 100 to 699.'),
  info('bad_header', 400, 'Bad Request: malformed header line', 'A line that is not a token followed by a colon.'),
  info('bad_character', 400, 'Bad Request: control character', 'NUL or a control character outside a quoted pair.'),
  info('bad_line_end', 0, '', 'A CR or LF alone, which other parsers may take for the end of a line.'),
  info('line_too_long', 400, 'Bad Request: line too long', 'A line above LIMITS.lineBytes.'),
  info('too_many_headers', 400, 'Bad Request: too many headers', 'More header lines than LIMITS.headerCount.'),
  info('duplicate_header', 400, 'Bad Request: repeated header', 'A header that may appear once only appears again.'),
  info('missing_header', 400, 'Bad Request: missing header', 'Via, From, To, Call-ID or CSeq is absent.'),
  info('bad_via', 400, 'Bad Request: malformed Via', 'The topmost Via value breaks the grammar.'),
  info('bad_from', 400, 'Bad Request: malformed From', 'The From value or its tag breaks the grammar.'),
  info('bad_to', 400, 'Bad Request: malformed To', 'The To value or its tag breaks the grammar.'),
  info('bad_call_id', 400, 'Bad Request: malformed Call-ID', 'The Call-ID is empty or holds blanks.'),
  info('bad_cseq', 400, 'Bad Request: malformed CSeq', 'CSeq is no number below 2^31 with a method.'),
  info('cseq_method_mismatch', 400, 'Bad Request: CSeq method', "CSeq's method is not the request's."),
  info('bad_max_forwards', 400, 'Bad Request: malformed Max-Forwards', 'Max-Forwards is no number from 0 to 255.'),
  info('bad_content_length', 400, 'Bad Request: malformed Content-Length', 'Content-Length is no usable number.'),
  info('body_truncated', 400, 'Bad Request: body shorter than Content-Length', 'Content-Length exceeds what came.'),
  info('uri_headers', 400, 'Bad Request: headers in Request-URI', 'A Request-URI may carry no header component.'),
  info('headers_too_large', 513, 'Message Too Large', 'No empty line within LIMITS.headerSectionBytes.'),
]

/** Why a stream cannot be framed any further; the connection is to be closed. */
export const FRAMING_ERROR = {
  NONE: 0,
  NOT_SIP: 1,
  HEADERS_TOO_LARGE: 2,
  NO_CONTENT_LENGTH: 3,
  BAD_CONTENT_LENGTH: 4,
  BODY_TOO_LARGE: 5,
} as const

/** Indexed by FRAMING_ERROR code: stable names, also the metric labels. */
export const FRAMING_ERROR_NAMES: readonly string[] = [
  'none',
  'not_sip',
  'headers_too_large',
  'no_content_length',
  'bad_content_length',
  'body_too_large',
]

/** Indexed by FRAMING_ERROR code. */
export const FRAMING_ERROR_MEANINGS: readonly string[] = [
  'No error.',
  'The stream does not begin a message with a token character.',
  'No empty line within LIMITS.headerSectionBytes.',
  'A message without Content-Length, which a stream needs.',
  'Content-Length is no number, or is repeated with another value.',
  'Content-Length above LIMITS.bodyBytes.',
]

export const SIP_BUG = {
  EDITS_OVERLAP: 'edits_overlap',
  TOO_MANY_EDITS: 'too_many_edits',
  OUTPUT_FULL: 'output_full',
} as const
export type SipBugCode = (typeof SIP_BUG)[keyof typeof SIP_BUG]

export const SIP_BUG_MEANINGS: Readonly<Record<SipBugCode, string>> = {
  edits_overlap: 'Two splices name the same bytes, or one lies outside the message.',
  too_many_edits: 'More splices than LIMITS.editCount.',
  output_full: 'The output buffer is smaller than what is to be written.',
}

/** A mistake of the calling code, never of the peer. Compare `code`. */
export class SipBug extends Error {
  readonly code: SipBugCode
  constructor(code: SipBugCode, detail: string) {
    super(`${code}: ${detail}`)
    this.code = code
  }
}
