// SPDX-License-Identifier: MIT
//
// Flags with whole numbers, and what benches reckon with them.
import { parseArgs } from 'node:util'

/**
 * `--name VALUE` for each key of the defaults; numbers where the default is one. Ends with a sentence where a flag is unknown.
 *
 * @template {Record<string, number | string>} T
 * @param {T} defaults
 * @returns {T}
 */
export function flags(defaults) {
  const options = Object.fromEntries(Object.keys(defaults).map((key) => [key, { type: 'string' }]))
  try {
    const { values } = parseArgs({ options })
    const typed = Object.entries(values).map(([key, text]) => [key, readValue(key, text, defaults[key])])
    return { ...defaults, ...Object.fromEntries(typed) }
  } catch (error) {
    console.error(
      `${error.message}\nflags: ${Object.entries(defaults)
        .map(([key, value]) => `--${key} ${value}`)
        .join(' ')}`,
    )
    process.exit(2)
  }
}

function readValue(key, text, otherwise) {
  if (typeof otherwise === 'string') return text
  if (!/^\d+$/.test(text)) throw new Error(`--${key}: ${text} is no whole number`)
  return Number(text)
}

export function percentile(values, share) {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const median = (values) => percentile(values, 0.5)

/** @param {number} digits behind the point */
export const rounded = (value, digits = 0) => Number(value.toFixed(digits))

export const printLine = (values) => console.log(JSON.stringify(values))
