// SPDX-License-Identifier: MIT
//
// What `tandem logs` can be told. Apart from what it does, so that `--help` loads none of it.
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export const LOG_FORMATS = ['text', 'json'] as const

export interface LogFlags {
  readonly call: string
  readonly user: string
  readonly event: string
  readonly level: (typeof LOG_LEVELS)[number]
  readonly output: (typeof LOG_FORMATS)[number]
}

export interface LogVerbFlags extends LogFlags {
  readonly config?: string
}
