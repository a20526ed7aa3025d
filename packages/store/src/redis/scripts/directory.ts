// SPDX-License-Identifier: MIT
// Scripts over one entry of the directory of calls in set-up: a string that ends by its own time to live, and its place in its
// owner's list by deadline, while the call is in set-up. A string, and not a hash, because a call writes it twice and hardly anybody reads
// it: a hash with an INVITE in it is a dozen allocations (bench/redis-calls.mjs). Its lines:
//   epoch SP final status SP lease SP owner
//   step
//   call reference
//   bytes of the branches SP bytes of the plan
//   upstream as JSON
// then a line for each branch in the order of their coming, id TAB branch as JSON; then plan and INVITE as they are, which go when it ends.
// An owner's list is swept, and its time to live renewed, every half minute and not with each call: what has ended is not listed.

import { script } from './script.ts'

/** Branches of one call, at most. */
export const MAX_BRANCHES = 128
/** How often an owner's list is swept. */
const SWEEP_MS = 30_000

const OWN = `
local function own(owned, key, ms)
  local at = now()
  redis.call('ZADD', owned, int(at + ms), key)
  local left = redis.call('PTTL', owned)
  if left < ms + ${SWEEP_MS} then
    if left > 0 then redis.call('ZREMRANGEBYSCORE', owned, '-inf', int(at)) end
    redis.call('PEXPIRE', owned, int(ms + ${2 * SWEEP_MS}))
  end
end
`

const ENTRY = `
local function open(tx)
  local value = redis.call('GET', tx)
  if not value then return nil end
  local e = {value = value}
  e.epoch, e.final, e.lease, e.owner, e.step, e.ref, e.lines, e.plan, e.upstream, e.at =
    string.match(value, '^(%d+) (%d+) (%d+) ([^\\n]*)\\n(%d+)\\n([^\\n]*)\\n(%d+) (%d+)\\n([^\\n]*)\\n()')
  return e
end
local function branches(e) return string.sub(e.value, e.at, e.at + e.lines - 1) end
local function close(e, lines)
  return e.epoch .. ' ' .. e.final .. ' ' .. e.lease .. ' ' .. e.owner .. '\\n' .. e.step .. '\\n' .. e.ref .. '\\n'
    .. #lines .. ' ' .. e.plan .. '\\n' .. e.upstream .. '\\n' .. lines .. string.sub(e.value, e.at + e.lines)
end
`

/** KEYS tx owned; ARGV key owner leaseMs, then lines two to five, branches, plan, INVITE. */
export const BEGIN_CALL = script(
  'begin-call',
  'writes',
  OWN,
  `
local entry = '1 0 ' .. ARGV[3] .. ' ' .. ARGV[2] .. '\\n' .. ARGV[4] .. ARGV[5] .. ARGV[6] .. ARGV[7]
if redis.call('SET', KEYS[1], entry, 'PX', ARGV[3], 'NX') then
  own(KEYS[2], ARGV[1], tonumber(ARGV[3]))
  return {1}
end
local epoch, final, owner = string.match(redis.call('GET', KEYS[1]), '^(%d+) (%d+) %d+ ([^\\n]*)\\n')
return {0, owner, epoch, final}
`,
)

/** KEYS tx owned; ARGV key owner epoch step, then id and branch each. 0 lost, 1 held, 2 too many branches. */
export const UPDATE_CALL = script(
  'update-call',
  'writes',
  OWN,
  ENTRY,
  `
local e = open(KEYS[1])
if not e or e.owner ~= ARGV[2] or e.epoch ~= ARGV[3] then return 0 end
local lines, places = {}, {}
for id, branch in string.gmatch(branches(e), '([^\\t\\n]*)\\t([^\\n]*)\\n') do
  lines[#lines + 1] = id .. '\\t' .. branch .. '\\n'
  places[id] = #lines
end
if #lines + (#ARGV - 4) / 2 > ${MAX_BRANCHES} then return 2 end
for i = 5, #ARGV, 2 do
  local place = places[ARGV[i]] or #lines + 1
  places[ARGV[i]] = place
  lines[place] = ARGV[i] .. '\\t' .. ARGV[i + 1] .. '\\n'
end
e.step = ARGV[4]
local entry = close(e, table.concat(lines))
if e.final == '0' then
  redis.call('SET', KEYS[1], entry, 'PX', e.lease)
  own(KEYS[2], ARGV[1], tonumber(e.lease))
else redis.call('SET', KEYS[1], entry, 'KEEPTTL') end
return 1
`,
)

/** KEYS tx owned; ARGV key owner epoch finalStatus keepMs. Leaves the list first, which needs no memory. */
export const END_CALL = script(
  'end-call',
  'writes later',
  `
local value = redis.call('GET', KEYS[1])
if not value then return 0 end
local epoch, final, lease, owner, facts, bytes, upstream, at =
  string.match(value, '^(%d+) (%d+) (%d+) ([^\\n]*)\\n([^\\n]*\\n[^\\n]*\\n)(%d+) %d+(\\n[^\\n]*\\n)()')
if owner ~= ARGV[2] or epoch ~= ARGV[3] then return 0 end
if final ~= '0' then return 1 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SET', KEYS[1], epoch .. ' ' .. ARGV[4] .. ' ' .. lease .. ' ' .. owner .. '\\n' .. facts .. bytes .. ' 0' .. upstream
  .. string.sub(value, at, at + bytes - 1), 'PX', ARGV[5])
return 1
`,
)

/** KEYS tx owned:<old> owned:<new>; ARGV key owner epoch newOwner leaseMs. */
export const ADOPT_CALL = script(
  'adopt-call',
  'writes',
  OWN,
  ENTRY,
  `
local e = open(KEYS[1])
if not e then return {0} end
local following = int(tonumber(ARGV[3]) + 1)
if e.owner == ARGV[4] and e.epoch == following then return {1, e.value} end
if e.owner ~= ARGV[2] or e.epoch ~= ARGV[3] then return {0, e.value} end
e.owner, e.epoch, e.lease = ARGV[4], following, ARGV[5]
local entry = close(e, branches(e))
redis.call('ZREM', KEYS[2], ARGV[1])
if e.final == '0' then
  redis.call('SET', KEYS[1], entry, 'PX', ARGV[5])
  own(KEYS[3], ARGV[1], tonumber(ARGV[5]))
else redis.call('SET', KEYS[1], entry, 'KEEPTTL') end
return {1, entry}
`,
)

/** KEYS owned; ARGV limit. */
export const LIST_OWNED = script(
  'list-owned',
  'reads',
  `
local at = now()
local held = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. int(at), '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1])
for i = 2, #held, 2 do held[i] = int(tonumber(held[i]) - at) end
return held
`,
)
