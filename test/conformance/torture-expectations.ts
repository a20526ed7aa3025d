// SPDX-License-Identifier: MIT
//
// What becomes of each of the project's torture messages. A message without a row fails, and so does a row without a message.

/** A status: the edge answers itself. `forwarded`: it goes to bob. Anything else: dropped, counted under that name. */
export type Fate = number | 'forwarded' | 'droppedUnreadable' | 'droppedStrayResponse'

export interface Row {
  /** Name of the scan error; `none` for accepted. */
  readonly parse: string
  readonly fate: Fate
  /** The message comes in over IPv6. */
  readonly ipv6?: true
  /** Lines that the answer must carry. */
  readonly answerHas?: readonly string[]
  /** Said where the RFC leaves a choice, or one would expect another fate. */
  readonly why?: string
}

const forwarded: Row = { parse: 'none', fate: 'forwarded' }
const forwarded6: Row = { ...forwarded, ipv6: true }
const stray: Row = { parse: 'none', fate: 'droppedStrayResponse' }

export const TORTURE: Readonly<Record<string, Row>> = {
  badaspec: { parse: 'bad_to', fate: 400 },
  badbranch: forwarded,
  baddate: forwarded,
  baddn: { parse: 'bad_from', fate: 400 },
  badinv01: { parse: 'bad_via', fate: 400 },
  badvers: { parse: 'bad_version', fate: 505 },
  bcast: stray,
  bext01: { parse: 'none', fate: 420, answerHas: ['Unsupported: noSuchThing, norSuchThing\r\n'] },
  bigcode: { parse: 'bad_status', fate: 'droppedUnreadable' },
  clerr: { parse: 'body_truncated', fate: 400 },
  cparam01: { parse: 'none', fate: 200, answerHas: ['Contact: <sip:+3225550100@192.0.2.30>;expires=3600;colour\r\n'] },
  cparam02: { parse: 'none', fate: 200, answerHas: ['Contact: <sip:+3225550100@192.0.2.30;colour>;expires=3600\r\n'] },
  dblreq: {
    parse: 'none',
    fate: 200,
    answerHas: ['CSeq: 8 REGISTER\r\n', 'Contact: <sip:bob@192.0.2.31>;expires=3600\r\n'],
  },
  esc01: {
    parse: 'none',
    fate: 404,
    why: 'the user is the text before @, escapes and all; nobody here is called so, and a SIPS URI it never was',
  },
  esc02: { parse: 'none', fate: 405, why: 'a method that nobody knows, for the domain itself: not a REGISTER' },
  escnull: {
    parse: 'none',
    fate: 200,
    answerHas: ['Contact: <sip:%00@192.0.2.20>;expires=3600\r\n', 'Contact: <sip:%00%00@192.0.2.20>;expires=3600\r\n'],
  },
  escruri: { parse: 'uri_headers', fate: 400 },
  insuf: {
    parse: 'missing_header',
    fate: 400,
    why: 'section 3.3.1 leaves it to the layer; a proxy needs these headers, and answers with what there is',
  },
  intmeth: {
    parse: 'none',
    fate: 404,
    answerHas: ['Call-ID: intmeth.q%ZQ-!.*_+\'@w`~)(><:\\/"][?}{\r\n'],
    why: 'nobody here has that name; that it is answered at all takes a 400-character request apart without a mistake',
  },
  inv2543: forwarded,
  invut: forwarded,
  'ipv4-mapped-ipv6': forwarded6,
  'ipv6-bad': { parse: 'bad_request_uri', fate: 400, ipv6: true },
  'ipv6-bug-abnf-3-colons': {
    parse: 'none',
    fate: 403,
    why: 'accepted as RFC 5118 section 4.10 asks; a domain that is not ours',
  },
  'ipv6-correct-abnf-2-colons': { parse: 'none', fate: 403, why: 'a domain that is not ours' },
  'ipv6-good': {
    parse: 'none',
    fate: 200,
    ipv6: true,
    answerHas: ['Contact: <sip:bob@[2001:db8:5060::30]>;expires=3600\r\n'],
  },
  'ipv6-in-sdp': forwarded6,
  longreq: forwarded,
  ltgtruri: { parse: 'bad_request_uri', fate: 400 },
  lwsdisp: forwarded,
  lwsruri: {
    parse: 'bad_start_line',
    fate: 400,
    why: 'section 3.1.2.8 allows to be liberal; two readings of one request line are a hole',
  },
  lwsstart: { parse: 'bad_request_uri', fate: 400, why: 'the same' },
  mcl01: {
    parse: 'duplicate_header',
    fate: 400,
    why: 'section 3.3.9 leaves the choice; two lengths would end it at two places',
  },
  mismatch01: { parse: 'cseq_method_mismatch', fate: 400 },
  mismatch02: {
    parse: 'cseq_method_mismatch',
    fate: 400,
    why: '501 would do for a server; a proxy forwards any method, but not this contradiction',
  },
  mpart01: forwarded,
  'mult-ip-in-header': { parse: 'none', fate: 481, ipv6: true, why: 'a To tag without a Route of ours' },
  'mult-ip-in-sdp': forwarded6,
  multi01: {
    parse: 'duplicate_header',
    fate: 400,
    why: 'section 3.3.8 leaves the choice; two values would name two transactions',
  },
  ncl: { parse: 'bad_content_length', fate: 400 },
  noreason: stray,
  novelsc: { parse: 'none', fate: 416, why: 'a proxy that cannot resolve a scheme answers 416' },
  'port-ambiguous': { parse: 'none', fate: 403, ipv6: true, why: 'an address that is well-formed, and not ours' },
  'port-unambiguous': {
    parse: 'none',
    fate: 200,
    ipv6: true,
    answerHas: ['Contact: <sip:bob@[2001:db8:5060::30]>;expires=3600\r\n'],
  },
  quotbal: { parse: 'bad_to', fate: 400 },
  regaut01: { parse: 'none', fate: 401, answerHas: ['WWW-Authenticate: Digest '] },
  regbadct: { parse: 'none', fate: 400 },
  regescrt: {
    parse: 'none',
    fate: 200,
    answerHas: ['Contact: <sip:bob@192.0.2.30?Route=%3Csip:192.0.2.99%3E>;expires=3600\r\n'],
    why: 'section 3.3.14: the registrar need not understand it, and gives it back as it came',
  },
  scalar02: { parse: 'bad_cseq', fate: 400, why: 'scalar02 may be cut to a legal value or refused; CSeq decides' },
  scalarlg: { parse: 'bad_cseq', fate: 'droppedUnreadable' },
  sdp01: forwarded,
  semiuri: { parse: 'none', fate: 404, why: 'the user is `bob;par=…`, not bob' },
  transports: forwarded,
  trws: { parse: 'bad_start_line', fate: 400, why: 'the same' },
  unkscm: { parse: 'none', fate: 416 },
  unksm2: {
    parse: 'none',
    fate: 404,
    why: 'no subscriber has such a name; an address of record that is no SIP URI is 404, not 400',
  },
  unreason: stray,
  'via-received-param-no-delim': forwarded6,
  'via-received-param-with-delim': forwarded6,
  wsinv: forwarded,
  zeromf: {
    parse: 'none',
    fate: 200,
    why: 'section 3.3.11 and RFC 3261 section 16.3: 483, or the answer of one whom it was for',
  },
}
