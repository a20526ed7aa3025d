// SPDX-License-Identifier: MIT
// Scripts over one shard's stream of finished records: one consumer group per sink, made by its first read (with the stream
// where there is none yet, so that no record is trimmed before the group sees it), from the oldest record kept.
// A record goes when every group has acknowledged it.

import { script } from './script.ts'

const GROUP = `
local function groups(cdr)
  local out = {}
  if redis.call('EXISTS', cdr) == 0 then return out end
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', cdr)) do
    local g = {}
    for i = 1, #flat, 2 do g[flat[i]] = flat[i + 1] end
    out[#out + 1] = g
  end
  return out
end
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local function trim(cdr)
  local keepMs, keepSeq
  for _, g in ipairs(groups(cdr)) do
    local ms, seq
    if g.pending > 0 then ms, seq = parts(redis.call('XPENDING', cdr, g.name)[2])
    else
      ms, seq = parts(g['last-delivered-id'])
      seq = seq + 1
    end
    if not keepMs or ms < keepMs or (ms == keepMs and seq < keepSeq) then keepMs, keepSeq = ms, seq end
  end
  if keepMs then redis.call('XTRIM', cdr, 'MINID', int(keepMs) .. '-' .. int(keepSeq)) end
end
`

/** KEYS cdr; ARGV group consumer limit, pending id to start after ('' for new ones only), minIdleMs to claim ('' for none).
 *  Returns {last pending id or '', id and record each}. */
export const READ_RECORDS = script(
  'read-records',
  'writes',
  GROUP,
  `
local cdr, group, consumer, limit = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local hasGroup = false
for _, g in ipairs(groups(cdr)) do if g.name == group then hasGroup = true end end
if not hasGroup then redis.call('XGROUP', 'CREATE', cdr, group, '0', 'MKSTREAM') end
local out, given = {''}, 0
local function give(entries)
  for _, e in ipairs(entries) do
    if e and e[2] then
      out[#out + 1] = e[1]
      out[#out + 1] = e[2]
      given = given + 1
    elseif e then redis.call('XACK', cdr, group, e[1]) end
  end
end
local function read(from, count)
  local reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', cdr, from)
  return reply and reply[1][2] or {}
end
if ARGV[4] ~= '' then
  local pending = read(ARGV[4], limit)
  give(pending)
  if #pending == limit then out[1] = pending[#pending][1] end
end
if ARGV[5] ~= '' and given < limit then
  give(redis.call('XAUTOCLAIM', cdr, group, consumer, ARGV[5], '0-0', 'COUNT', limit - given)[2])
end
if given < limit and out[1] == '' then give(read('>', limit - given)) end
return out
`,
)

/** KEYS cdr; ARGV group, ids. */
export const ACKNOWLEDGE = script(
  'acknowledge',
  'writes',
  GROUP,
  `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local count = 0
for i = 2, #ARGV do count = count + redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) end
if count > 0 then trim(KEYS[1]) end
return count
`,
)

/** KEYS cdr; ARGV group. Returns {not delivered, not acknowledged}. */
export const RECORD_LAG = script(
  'record-lag',
  'reads',
  GROUP,
  `
for _, g in ipairs(groups(KEYS[1])) do
  if g.name == ARGV[1] then
    local waiting = g.lag or #redis.call('XRANGE', KEYS[1], '(' .. g['last-delivered-id'], '+')
    return {waiting, g.pending}
  end
end
return {redis.call('XLEN', KEYS[1]), 0}
`,
)

/** KEYS cdr; ARGV group. */
export const DROP_GROUP = script(
  'drop-group',
  'writes',
  GROUP,
  `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local dropped = redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
trim(KEYS[1])
return dropped
`,
)
