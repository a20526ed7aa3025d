// SPDX-License-Identifier: MIT
//
// When a file is full or its time is over. Pure.

export interface RotationRule {
  /** Size at which a new file is begun; 0: never for its size. */
  readonly maxBytes: number
  /** A new file each hour or day of UTC. */
  readonly every: 'never' | 'hour' | 'day'
}

const PERIOD_MS = { hour: 3_600_000, day: 86_400_000 } as const

/** Whether `addedBytes` more belong into a new file. An empty file never makes way for another. */
export function isRotationDue(
  rule: RotationRule,
  file: { readonly bytes: number; readonly sinceMs: number },
  addedBytes: number,
  nowMs: number,
): boolean {
  if (file.bytes === 0) return false
  if (rule.maxBytes > 0 && file.bytes + addedBytes > rule.maxBytes) return true
  if (rule.every === 'never') return false
  const periodMs = PERIOD_MS[rule.every]
  return Math.floor(file.sinceMs / periodMs) !== Math.floor(nowMs / periodMs)
}
