// SPDX-License-Identifier: MIT
// What our parser does with each file of ../shared/corpora. A file without a row fails; so does a row without a file.
// `result` is the name of the scan error, or `none`. `answer` is the status that a UDP sender gets from the parser's verdict, 0 for
// a silent drop. `why` is said where our result is not the manifest's word.

export interface Expectation {
  readonly result: string
  /** 0: dropped, also for accepted messages, where it means nothing. */
  readonly answer?: number
  readonly why?: string
}

const accepted: Expectation = { result: 'none' }

function refused(result: string, answer: number, why?: string): Expectation {
  return why === undefined ? { result, answer } : { result, answer, why }
}

export const RFC4475: Readonly<Record<string, Expectation>> = {
  'badaspec.dat': refused('bad_to', 400),
  'badbranch.dat': accepted,
  'baddate.dat': accepted,
  'baddn-terminated.dat': refused('bad_from', 400),
  'baddn.dat': refused('bad_from', 400),
  'badinv01.dat': refused('bad_via', 400),
  'badvers.dat': refused('bad_version', 505),
  'bcast.dat': accepted,
  'bext01.dat': accepted,
  'bigcode.dat': refused('bad_status', 0),
  'clerr.dat': refused('body_truncated', 400),
  'cparam01.dat': accepted,
  'cparam02.dat': accepted,
  'dblreq.dat': accepted,
  'esc01.dat': accepted,
  'esc02.dat': accepted,
  'escnull.dat': accepted,
  'escruri.dat': refused('uri_headers', 400),
  'insuf.dat': refused(
    'missing_header',
    400,
    '§3.3.1 leaves the layer open; a proxy needs these headers, so the scanner asks',
  ),
  'intmeth.dat': accepted,
  'inv2543.dat': accepted,
  'invut.dat': accepted,
  'longreq.dat': accepted,
  'ltgtruri.dat': refused('bad_request_uri', 400),
  'lwsdisp.dat': accepted,
  'lwsruri.dat': refused('bad_start_line', 400),
  'lwsstart.dat': refused('bad_request_uri', 400),
  'mcl01.dat': refused('duplicate_header', 400, '§3.3.9 leaves the layer open; the scanner needs one length'),
  'mismatch01.dat': refused('cseq_method_mismatch', 400),
  'mismatch02.dat': refused('cseq_method_mismatch', 400),
  'mpart01.dat': accepted,
  'multi01.dat': refused(
    'duplicate_header',
    400,
    '§3.3.8 leaves the layer open; two values would name two transactions',
  ),
  'ncl.dat': refused('bad_content_length', 400),
  'noreason.dat': accepted,
  'novelsc.dat': accepted,
  'quotbal.dat': refused('bad_to', 400),
  'regaut01.dat': accepted,
  'regbadct.dat': {
    result: 'none',
    why: 'a proxy need not understand Contact; parseContacts() refuses it for the registrar',
  },
  'regescrt.dat': accepted,
  'scalar02.dat': refused('bad_cseq', 400),
  'scalarlg.dat': refused('bad_cseq', 0),
  'sdp01.dat': accepted,
  'semiuri.dat': accepted,
  'transports.dat': accepted,
  'trws.dat': refused('bad_start_line', 400),
  'unkscm.dat': accepted,
  'unksm2.dat': accepted,
  'unreason.dat': accepted,
  'wsinv.dat': accepted,
  'zeromf.dat': accepted,
}

export const RFC5118: Readonly<Record<string, Expectation>> = {
  'ipv4-mapped-ipv6.dat': accepted,
  'ipv6-bad.dat': refused('bad_request_uri', 400),
  'ipv6-bug-abnf-3-colons.dat': accepted,
  'ipv6-correct-abnf-2-colons.dat': accepted,
  'ipv6-good.dat': accepted,
  'ipv6-in-sdp.dat': accepted,
  'mult-ip-in-header.dat': accepted,
  'mult-ip-in-sdp.dat': accepted,
  'port-ambiguous.dat': accepted,
  'port-unambiguous.dat': accepted,
  'via-received-param-no-delim.dat': accepted,
  'via-received-param-with-delim.dat': accepted,
}

export const PARAM_GAPS: Readonly<Record<string, Expectation>> = {
  'fromDuplicateTag.sip': refused('bad_from', 400),
  'fromEmptyTag.sip': refused('bad_from', 400),
  'requestUriCtlInParamName.sip': refused('bad_request_uri', 400),
  'requestUriIpv6Unclosed.sip': refused('bad_request_uri', 400),
  'requestUriNoHost.sip': refused('bad_request_uri', 400),
  'requestUriPortOverflow.sip': refused('bad_request_uri', 400),
  'requestUriPortTrailingGarbage.sip': refused('bad_request_uri', 400),
  'valid-contactBareUri.sip': accepted,
  'valid-contactNameAddr.sip': accepted,
  'valid-dateGmt.sip': accepted,
  'valid-fromQuotedDisplay.sip': accepted,
  'valid-fromTokenDisplay.sip': accepted,
  'viaEmptyBranch.sip': refused('bad_via', 400),
  'viaPortOverflow.sip': refused('bad_via', 0),
  'viaPortTrailingGarbage.sip': refused('bad_via', 0),
  'viaPortZero.sip': refused('bad_via', 0),
}
