// SPDX-License-Identifier: MIT
// Globally routable user agent URIs, RFC 5627.
export * from './parse-gruu.ts'
export * from './public-gruu.ts'
export * from './registration-hash.ts'
export * from './temporary-gruu.ts'
