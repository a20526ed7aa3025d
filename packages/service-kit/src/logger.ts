// SPDX-License-Identifier: MIT
//
// Structured logs on standard error: JSON lines by pino, secrets redacted by key wherever they stand, at most three deep
// [DESIGN §3.12]. URLs go through `redactUrl` first. Standard output stays free for what a command prints.
import { type DestinationStream, destination, type Logger as PinoLogger, pino } from 'pino'

export type Logger = PinoLogger
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Keys whose values never reach a log. */
const SECRET_KEYS = [
  'secret',
  'secrets',
  'password',
  'ha1',
  'authorization',
  'proxyAuthorization',
  'credentials',
  'keyRing',
]
const REDACTED = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`])

/** A logger of one service. `sink` replaces standard error (tests). */
export function createLogger(options: { level: LogLevel; service: string; sink?: DestinationStream }): Logger {
  return pino(
    {
      level: options.level,
      base: { service: options.service },
      redact: { paths: REDACTED, censor: '[redacted]' },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    options.sink ?? destination({ fd: 2, sync: true }),
  )
}

/** The URL without user, password and query: fit for logs. Text that is no URL is returned as `[unreadable url]`. */
export function redactUrl(url: string): string {
  if (!url.includes('://')) return url
  const match = /^([a-z-]+:\/\/)(?:[^/]*@)?([^?#]*)/i.exec(url)
  return match ? `${match[1]}${match[2]}` : '[unreadable url]'
}
