// SPDX-License-Identifier: MIT
//
// What the cluster itself says that it serves, as registrar, redirect server and notifier; what it proxies is not its to list.

/** Methods of the cluster as a user agent server. [RFC3261-20.5a] [RFC3261-8.2.1c] */
export const ALLOW = 'Allow: ACK, CANCEL, OPTIONS, REGISTER, SUBSCRIBE\r\n'

/** Lines of the 200 to an OPTIONS for the cluster. [RFC3261-11.2b] [RFC6665-4.4.4a] */
export const CAPABILITIES = `${ALLOW}Accept: \r\nAccept-Encoding: identity\r\nAccept-Language: *\r\nSupported: gruu, outbound, path\r\nAllow-Events: reg\r\n`
