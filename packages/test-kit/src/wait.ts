// SPDX-License-Identifier: MIT
/** Asks until the answer is true, every intervalMs; throws after timeoutMs, saying what was waited for. */
export async function waitUntil(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
  intervalMs = 20,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    if (await isTrue()) return
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, intervalMs))
  }
}
