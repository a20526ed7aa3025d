// SPDX-License-Identifier: MIT
// Scripts over references with frozen decisions, and nonce counts.

import { NONCE_WINDOW } from '../../nonce-window.ts'
import { script } from './script.ts'

/** KEYS mint; ARGV ref decision keepMs. */
export const MINT = script(
  'mint',
  'writes',
  `
local held = redis.call('HMGET', KEYS[1], 'r', 'd')
if held[1] then return {1, held[1], held[2], redis.call('PTTL', KEYS[1])} end
redis.call('HSET', KEYS[1], 'r', ARGV[1], 'd', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {0, ARGV[1], ARGV[2], tonumber(ARGV[3])}
`,
)

/** KEYS mint; ARGV keepMs. */
export const RELEASE_MINT = script(
  'release-mint',
  'writes',
  `
local left = redis.call('PTTL', KEYS[1])
if left < 0 then return 0 end
if left > tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 1
`,
)

/** Counts behind the window are taken out some at a time: looking for them costs as much as all else together. */
const NONCE_FIELDS = NONCE_WINDOW + 32

/**
 * KEYS nonce; ARGV nc user ttlMs. Field h is the highest count, each other field a count with its user. What is refused at
 * maxmemory is written after a write that needs no room, so that phones can refresh their bindings: a nonce is small, comes from a phone with
 * the right password, and ends soon.
 */
export const USE_NONCE = script(
  'use-nonce',
  'writes',
  `
local nc = tonumber(ARGV[1])
local function put(...)
  if type(redis.pcall('HSET', KEYS[1], ...)) == 'number' then return end
  redis.call('HDEL', KEYS[1], '')
  redis.call('HSET', KEYS[1], ...)
end
local held = redis.call('HMGET', KEYS[1], 'h', ARGV[1])
local highest = tonumber(held[1] or '0')
if nc <= highest - ${NONCE_WINDOW} then return 0 end
if held[2] then return held[2] == ARGV[2] and 1 or 0 end
if nc <= highest then
  put(ARGV[1], ARGV[2])
  return 1
end
put(ARGV[1], ARGV[2], 'h', ARGV[1])
if not held[1] then redis.call('PEXPIRE', KEYS[1], ARGV[3])
elseif redis.call('HLEN', KEYS[1]) > ${NONCE_FIELDS} then
  for _, count in ipairs(redis.call('HKEYS', KEYS[1])) do
    if count ~= 'h' and tonumber(count) <= nc - ${NONCE_WINDOW} then redis.call('HDEL', KEYS[1], count) end
  end
end
return 1
`,
)
