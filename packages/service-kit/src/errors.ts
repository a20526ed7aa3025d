// SPDX-License-Identifier: MIT
//
// Error registry of this package: stable codes, and the exit status that a process ends with.
// Compare codes, not classes. A value that is merely expected trouble (a port that is taken) is an error here too, because
// it ends the process: each message is a sentence for the person who has to change something.

/** code → what it means and the exit status of a process that ends with it. */
export const KIT_ERRORS = {
  config_invalid: {
    exitCode: 78,
    meaning: 'The configuration has unknown keys or values that do not fit.',
    todo: 'Correct the keys that are named, all of them at once.',
  },
  config_unreadable: {
    exitCode: 78,
    meaning: 'The configuration file could not be read or is not YAML.',
    todo: 'Correct the path, the rights or the YAML.',
  },
  port_taken: {
    exitCode: 1,
    meaning: 'Another process holds a port that this one needs.',
    todo: 'Stop the other process, or change the setting that is named.',
  },
  address_unavailable: {
    exitCode: 1,
    meaning: 'The address to bind does not exist on this machine.',
    todo: 'Bind an address of this machine.',
  },
  start_failed: {
    exitCode: 1,
    meaning: 'A part of the process did not start.',
    todo: 'Read the sentence; the line before it says which part.',
  },
} as const

export type KitErrorCode = keyof typeof KIT_ERRORS

/** An error that ends the process, with its code and exit status. */
export class KitError extends Error {
  readonly code: KitErrorCode
  readonly exitCode: number
  constructor(code: KitErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'KitError'
    this.code = code
    this.exitCode = KIT_ERRORS[code].exitCode
  }
}

/** One key that is wrong: its dotted path, where it was set, and what was expected there. */
export interface ConfigIssue {
  readonly path: string
  readonly origin: string
  readonly expected: string
}

/** Bad configuration: exit status 78, every bad key listed. */
export class ConfigError extends KitError {
  readonly issues: readonly ConfigIssue[]
  constructor(issues: readonly ConfigIssue[], code: 'config_invalid' | 'config_unreadable' = 'config_invalid') {
    super(code, issues.map((issue) => `${issue.path} (${issue.origin}): ${issue.expected}`).join('\n'))
    this.name = 'ConfigError'
    this.issues = issues
  }
}

/** The sentence for a bind that failed, naming port, protocol and the setting to change; other errors pass unchanged. */
export function explainBind(error: unknown, what: { port: number; protocol: string; setting: string }): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  const { port, protocol, setting } = what
  if (code === 'EADDRINUSE') {
    return new KitError(
      'port_taken',
      `Port ${port}/${protocol} is taken by another process: stop it, or change ${setting}.`,
      error,
    )
  }
  if (code === 'EADDRNOTAVAIL') {
    return new KitError(
      'address_unavailable',
      `Cannot bind ${protocol} port ${port}: the address is not on this machine. Change ${setting}.`,
      error,
    )
  }
  return error
}
