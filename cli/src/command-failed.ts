// SPDX-License-Identifier: MIT

/** A command that could not do its work: one sentence, exit status 1. */
export class CommandFailed extends Error {
  readonly exitCode = 1
}
