// SPDX-License-Identifier: MIT
// Scripts over references with frozen decisions, and nonce counts.

import { NONCE_USER_BYTES, NONCE_WINDOW } from '../../nonce-window.ts'
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
return {0}
`,
)

/** KEYS mint. */
export const READ_MINT = script('read-mint', 'reads', `return redis.call('HMGET', KEYS[1], 'r', 'd')`)

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

/**
 * KEYS nonce fail; ARGV nc by ttlMs source. A nonce is one string: its highest count (4 bytes), then a ring of as many places as the window
 * is wide, each with a hash of the transaction that used the count, or zeros. So it never grows beyond the ring; most have one place. What is
 * refused at maxmemory is written after a write that needs no room, so that phones can refresh their bindings: a nonce is small, comes from a
 * phone with the right password, and ends soon. `fail` are failures of the same user (scripts/bans.ts).
 */
export const USE_NONCE = script(
  'use-nonce',
  'writes',
  `
local WINDOW, SIZE = ${NONCE_WINDOW}, ${NONCE_USER_BYTES}
local EMPTY = string.rep('\\0', SIZE)
local nc, by = tonumber(ARGV[1]), ARGV[2]
local function placeOf(count) return ((count - 1) % WINDOW) * SIZE end
local function put(value, ...)
  local reply = redis.pcall('SET', KEYS[1], value, ...)
  if not reply.err then return end
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('SET', KEYS[1], value, ...)
end
local function write(ring, count, what)
  local at = placeOf(count)
  if #ring < at then ring = ring .. string.rep('\\0', at - #ring) end
  return string.sub(ring, 1, at) .. what .. string.sub(ring, at + SIZE + 1)
end
local function forgive()
  if redis.call('EXISTS', KEYS[2]) == 0 then return end
  for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    if string.match(member, '^[^|]*') == ARGV[4] then redis.call('ZREM', KEYS[2], member) end
  end
end
local held = redis.call('GET', KEYS[1])
if not held then put(struct.pack('>I4', nc) .. write('', nc, by), 'PX', ARGV[3])
else
  local highest, ring = struct.unpack('>I4', held), string.sub(held, 5)
  if nc <= highest - WINDOW then return 0 end
  if nc <= highest then
    local at = placeOf(nc)
    local seen = string.sub(ring, at + 1, at + SIZE)
    if seen ~= '' and seen ~= EMPTY then return seen == by and 1 or 0 end
  else
    for count = math.max(highest + 1, nc - WINDOW + 1), nc - 1 do
      if placeOf(count) < #ring then ring = write(ring, count, EMPTY) end
    end
    highest = nc
  end
  put(struct.pack('>I4', highest) .. write(ring, nc, by), 'KEEPTTL')
end
forgive()
return 1
`,
)
