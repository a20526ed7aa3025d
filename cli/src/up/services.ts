// SPDX-License-Identifier: MIT

/** What `tandem run` runs. */
export const SERVICES = ['edge', 'location', 'policy', 'records', 'console'] as const
export type ServiceName = (typeof SERVICES)[number]
