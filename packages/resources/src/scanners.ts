// SPDX-License-Identifier: MIT
//
// What stands in the User-Agent of programs that look for open servers and weak passwords, in lower case. They can call
// themselves anything; this stops those that do not bother.

export const SCANNER_PATTERNS: readonly string[] = Object.freeze([
  'friendly-scanner',
  'friendly-request',
  'sipvicious',
  'sip-scan',
  'sipscan',
  'sipcli',
  'sipsak',
  'sundayddr',
  'siparmyknife',
  'vaxsipuseragent',
  'vaxipuseragent',
  'pplsip',
  'iwar',
  'smap 0.',
  'sipv/',
  'svmap',
  'svwar',
  'svcrack',
  'sivus',
  'voiper',
  'warvox',
  'gulp',
  'test agent',
  'nm@nm',
  'masscan',
  'zgrab',
])
