// SPDX-License-Identifier: MIT
//
// How commands can print. Apart from what prints, so that `--help` loads none of it.
export const FORMATS = ['table', 'json', 'yaml'] as const
export type Format = (typeof FORMATS)[number]

export const CDR_FORMATS = [...FORMATS, 'csv'] as const
export type CdrFormat = (typeof CDR_FORMATS)[number]
