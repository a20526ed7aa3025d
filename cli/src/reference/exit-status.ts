// SPDX-License-Identifier: MIT
//
// The exit statuses of `tandem`. docs/reference/cli.md and docs/reference/errors.md list them.

export interface ExitStatus {
  readonly status: number
  readonly meaning: string
  /** What to do. */
  readonly todo: string
}

export const EXIT_STATUS = {
  done: { status: 0, meaning: 'Done.', todo: '' },
  failed: {
    status: 1,
    meaning: 'It failed, or what was looked at is not as it should be.',
    todo: 'Read the sentence on standard error.',
  },
  usage: { status: 2, meaning: 'An unknown verb or flag, or a value that is none.', todo: 'See `tandem VERB --help`.' },
  config: {
    status: 78,
    meaning: 'The configuration or a resource file is wrong.',
    todo: 'Correct the keys that are named, all of them at once.',
  },
  interrupted: {
    status: 130,
    meaning: 'A second signal ended the process before it had drained.',
    todo: 'Give it `shutdown.drainMs`, or end it by one signal.',
  },
} as const satisfies Record<string, ExitStatus>
