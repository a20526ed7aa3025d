// SPDX-License-Identifier: MIT
//
// A contact or another URI as the Request-URI of a branch.

import { encodeUri, parseUri } from '@tandem/sip'

/** [RFC3261-16.6.2] [RFC3261-19.1.1] A URI without what no Request-URI may have: headers and the method parameter. */
export function requestUriOf(text: string): string {
  if (!text.includes('?') && !/;method=/i.test(text)) return text
  const uri = parseUri(text)
  if (uri === undefined) return text
  return encodeUri({ ...uri, headers: '', params: uri.params.filter(({ name }) => name.toLowerCase() !== 'method') })
}
