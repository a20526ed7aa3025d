// SPDX-License-Identifier: MIT
// Plain shapes that go into and come out of a store. Field names are those of proto/tandem/*/v1, so that services map them
// without thought; times that leave the store are bigint milliseconds since 1970 as in the protos, durations are numbers.

export type * from './types/bindings.ts'
export type * from './types/calls.ts'
export { AGE_UNKNOWN } from './types/calls.ts'
export type * from './types/directory.ts'
export type * from './types/edges.ts'
export type * from './types/fraud.ts'
export type * from './types/records.ts'
