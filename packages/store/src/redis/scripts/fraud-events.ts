// SPDX-License-Identifier: MIT
// Scripts over the one stream of fraud events, and the set of ids by which an event is appended once. Groups are read by the
// scripts of finished records; here nothing is trimmed behind them but by length alone.

import { script } from './script.ts'

/** KEYS stream seen; ARGV event id, its text, length. 1, or 0 where it was there. */
export const APPEND_EVENT = script(
  'append-fraud-event',
  'writes',
  `
local max = tonumber(ARGV[3])
if redis.call('ZADD', KEYS[2], 'NX', now(), ARGV[1]) == 0 then return 0 end
local over = redis.call('ZCARD', KEYS[2]) - max
if over > 0 then redis.call('ZREMRANGEBYRANK', KEYS[2], 0, over - 1) end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', max, '*', 'e', ARGV[2])
return 1
`,
)

/** KEYS stream; ARGV id to start after ('' for the oldest), limit. Returns id and fields each. */
export const EVENTS_AFTER = script(
  'fraud-events-after',
  'reads',
  `
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local out = {}
for _, e in ipairs(redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', ARGV[2])) do
  out[#out + 1] = e[1]
  out[#out + 1] = e[2]
end
return out
`,
)

/** KEYS stream; ARGV id to end before ('' for the newest), age, limit. Returns id and fields each, newest first. */
export const NEWEST_EVENTS = script(
  'newest-fraud-events',
  'reads',
  `
local to = ARGV[1] == '' and '+' or '(' .. ARGV[1]
local from = int(math.max(0, now() - tonumber(ARGV[2])))
local out = {}
for _, e in ipairs(redis.call('XREVRANGE', KEYS[1], to, from, 'COUNT', ARGV[3])) do
  out[#out + 1] = e[1]
  out[#out + 1] = e[2]
end
return out
`,
)

/** KEYS stream; ARGV group, ids. */
export const ACKNOWLEDGE_EVENTS = script(
  'acknowledge-fraud-events',
  'writes',
  `
local count = 0
for i = 2, #ARGV do count = count + redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) end
return count
`,
)

/** KEYS stream; ARGV group. */
export const DROP_EVENT_GROUP = script(
  'drop-fraud-event-group',
  'writes',
  `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
return redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
`,
)

/** KEYS stream; ARGV group. Returns {not delivered, not acknowledged}; what was trimmed away waits no more. */
export const EVENT_LAG = script(
  'fraud-event-lag',
  'reads',
  `
if redis.call('EXISTS', KEYS[1]) == 0 then return {0, 0} end
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local g = {}
  for i = 1, #flat, 2 do g[flat[i]] = flat[i + 1] end
  if g.name == ARGV[1] then
    local waiting = g.lag or #redis.call('XRANGE', KEYS[1], '(' .. g['last-delivered-id'], '+')
    return {math.min(waiting, redis.call('XLEN', KEYS[1])), g.pending}
  end
end
return {redis.call('XLEN', KEYS[1]), 0}
`,
)
