// SPDX-License-Identifier: MIT
// The script over edge membership: the rules of membership.ts in Redis. One hash: '#' {revision, touchedMs}, and per edge
// name 'm:<name>' {id, incarnation, description, leaseMs, untilMs, live}. It begins with a write that needs no room (there is no field ''), so
// that leases go on at maxmemory: an edge that could not renew would be unreachable, and its phones with it.

import { script } from './script.ts'

/** KEYS edges; ARGV op freezeMs keepMs name id incarnation description leaseMs. */
export const MEMBERSHIP = script(
  'membership',
  'writes',
  `
redis.call('HDEL', KEYS[1], '')
local op, freezeMs, keepMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local at = now()
local state, members, changed = {at, 0}, {}, {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] == '#' then state = cmsgpack.unpack(all[i + 1])
  else members[all[i]] = cmsgpack.unpack(all[i + 1]) end
end
local revision, touched = state[1], state[2]
local away = 0
if touched > 0 and at - touched > freezeMs then away = at - touched end
for name, m in pairs(members) do
  if away > 0 then
    m[5] = m[5] + away
    if m[6] == 1 then m[5] = math.max(m[5], at + m[4]) end
    changed[name] = true
  end
  if m[6] == 1 and m[5] <= at then
    m[6] = 0
    revision = revision + 1
    changed[name] = true
  end
  if m[6] == 0 and at - m[5] > keepMs then
    members[name] = nil
    revision = revision + 1
    redis.call('HDEL', KEYS[1], name)
    changed[name] = nil
  end
end

local accepted = 1
if op == 'lease' then
  local name, id, incarnation, description, leaseMs = 'm:' .. ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
  local m = members[name]
  local newer = m and (#m[2] > #incarnation or (#m[2] == #incarnation and m[2] > incarnation))
  if newer then accepted = 0
  else
    if not m or m[6] == 0 or m[3] ~= description then revision = revision + 1 end
    members[name] = {id, incarnation, description, leaseMs, at + leaseMs, 1}
    changed[name] = true
  end
elseif op == 'leave' then
  local name = 'm:' .. ARGV[4]
  if members[name] and members[name][1] == ARGV[5] then
    members[name] = nil
    changed[name] = nil
    revision = revision + 1
    redis.call('HDEL', KEYS[1], name)
  end
end
for name in pairs(changed) do redis.call('HSET', KEYS[1], name, cmsgpack.pack(members[name])) end
redis.call('HSET', KEYS[1], '#', cmsgpack.pack({revision, at}))
local out = {}
for _, m in pairs(members) do out[#out + 1] = {m[3], m[6], int(at - m[5])} end
return {accepted, int(revision), out}
`,
)
