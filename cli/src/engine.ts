// SPDX-License-Identifier: MIT
//
// The engine's settings for a process that serves (docs/decisions/engine-settings.md, measured there). They can only be given
// when a process starts, so it replaces itself once: same process id, same files, no second process.
// Where Node cannot do that (below 22.15) everything works the same, only slower.

/**
 * A young generation that outlives a transaction; no helper threads for short collections; an old one that may grow to three times of what
 * lives before all of it is walked through; hot code compiled earlier.
 */
const ENGINE_SETTINGS = [
  '--single-threaded-gc',
  '--min-semi-space-size=32',
  '--max-semi-space-size=32',
  '--heap-growing-percent=200',
  '--invocation-count-for-turbofan=1000',
  '--disable-warning=ExperimentalWarning',
]

/** Returns when the settings are in force, or can't be. */
export function tuneEngine(): void {
  const isTuned = process.execArgv.includes(ENGINE_SETTINGS[0] as string)
  if (isTuned || typeof process.execve !== 'function') return
  const args = [process.execPath, ...process.execArgv, ...ENGINE_SETTINGS, ...process.argv.slice(1)]
  process.execve(process.execPath, args, process.env as Record<string, string>)
}
