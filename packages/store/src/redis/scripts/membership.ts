// SPDX-License-Identifier: MIT
// The script over edge membership: the rules of membership.ts in Redis. One hash: '#' {revision, touchedMs}; per edge
// name 'm:<name>' {id, incarnation, description, leaseMs, untilMs, live}; per edge that is gone 'x:<id>' {name, dueMs, passed, node,
// claimedUntilMs}; per location node 'n:<node>' {touchedMs, peer, opened, peer, opened, …}. It begins with a write that needs no room (there
// is no field ''), so that leases go on at maxmemory: an edge that could not renew would be unreachable, and its phones with it.

import { MAX_GONE } from '../../membership.ts'
import { script } from './script.ts'

/** Reads the table and brings it to now. */
const TABLE = `
redis.call('HDEL', KEYS[1], '')
local op, freezeMs, keepMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local settleMs, silentMs = tonumber(ARGV[4]), tonumber(ARGV[5])
local at = now()
local state, members, gone, nodes, goneCount = {at, 0}, {}, {}, {}, 0
local dirty = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local kind, rest, row = string.sub(all[i], 1, 2), string.sub(all[i], 3), cmsgpack.unpack(all[i + 1])
  if kind == '#' then state = row
  elseif kind == 'm:' then members[rest] = row
  elseif kind == 'x:' then
    gone[rest] = row
    goneCount = goneCount + 1
  else nodes[rest] = row end
end
local revision, touched = state[1], state[2]
local function put(kind, name, table, row)
  table[name] = row
  dirty[kind .. name] = row or false
end
local function retire(id, name, due)
  if goneCount >= ${MAX_GONE} then return end
  goneCount = goneCount + 1
  put('x:', id, gone, {name, due, 0, '', 0})
end
local away = 0
if touched > 0 and (at - touched > freezeMs or at < touched) then away = at - touched end
if away ~= 0 then
  for name, m in pairs(members) do
    m[5] = m[5] + away
    if m[6] == 1 then m[5] = math.max(m[5], at + m[4]) end
    dirty['m:' .. name] = m
  end
  for id, g in pairs(gone) do
    g[2], g[5] = g[2] + away, g[5] + away
    dirty['x:' .. id] = g
  end
  for node, n in pairs(nodes) do
    n[1] = n[1] + away
    dirty['n:' .. node] = n
  end
end
for node, n in pairs(nodes) do if at - n[1] > silentMs then put('n:', node, nodes, nil) end end
for name, m in pairs(members) do
  if m[6] == 1 and m[5] <= at then
    m[6] = 0
    revision = revision + 1
    dirty['m:' .. name] = m
  end
  if m[6] == 0 and at - m[5] > keepMs then
    put('m:', name, members, nil)
    retire(m[1], name, at)
    revision = revision + 1
  end
end
local function heldGone(node, id)
  local g = gone[id]
  if g and g[4] == node and g[5] > at then return g end
end
local accepted, named = 1, ''
`

/** What each operation does to it; ARGV[6] and on. */
const OPERATIONS = `
if op == 'lease' then
  local name, id, incarnation, description, leaseMs = ARGV[6], ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10])
  local m, g = members[name], gone[id]
  local newer = m and (#m[2] > #incarnation or (#m[2] == #incarnation and m[2] > incarnation))
  if newer or (g and g[5] > at) then accepted = 0
  else
    if m and m[1] ~= id then retire(m[1], name, at) end
    if g then put('x:', id, gone, nil) end
    for other, x in pairs(gone) do
      if x[1] == name and x[2] > at then
        x[2] = at
        dirty['x:' .. other] = x
      end
    end
    if not m or m[6] == 0 or m[3] ~= description then revision = revision + 1 end
    put('m:', name, members, {id, incarnation, description, leaseMs, at + leaseMs, 1})
  end
elseif op == 'leave' then
  local name, id = ARGV[6], ARGV[7]
  if members[name] and members[name][1] == id then
    put('m:', name, members, nil)
    retire(id, name, at + keepMs)
    revision = revision + 1
  end
elseif op == 'hold' then
  local node, row = ARGV[6], {at}
  for i = 7, #ARGV, 2 do
    row[#row + 1] = ARGV[i]
    row[#row + 1] = tonumber(ARGV[i + 1])
  end
  if #row == 1 then row = nil end
  put('n:', node, nodes, row)
elseif op == 'revoke' then
  local node, peer, opened = ARGV[6], ARGV[7], tonumber(ARGV[8])
  if nodes[node] then
    local row = {nodes[node][1]}
    for i = 2, #nodes[node], 2 do
      if nodes[node][i] ~= peer or nodes[node][i + 1] > opened then
        row[#row + 1] = nodes[node][i]
        row[#row + 1] = nodes[node][i + 1]
      end
    end
    put('n:', node, nodes, row)
  end
  accepted = 0
  for name, m in pairs(members) do
    if m[6] == 1 and (name == peer or m[1] == peer) then
      local held = false
      for _, n in pairs(nodes) do
        for i = 2, #n, 2 do if n[i] == m[1] or n[i] == name then held = true end end
      end
      if not held then
        m[5], m[6] = at, 0
        dirty['m:' .. name] = m
        revision, accepted = revision + 1, 1
      end
    end
  end
elseif op == 'claim' then
  local node, leaseMs, id = ARGV[6], tonumber(ARGV[7]), ARGV[8]
  if id ~= '' then
    if heldGone(node, id) then named = id end
  else
    for other, g in pairs(gone) do
      local best = named == '' or g[2] < gone[named][2] or (g[2] == gone[named][2] and other < named)
      if best and g[5] <= at and at - g[2] >= (g[3] == 1 and keepMs or settleMs) then named = other end
    end
  end
  if named ~= '' then
    local g = gone[named]
    g[4], g[5] = node, at + leaseMs
    dirty['x:' .. named] = g
  end
elseif op == 'settle' then
  local node, id = ARGV[6], ARGV[7]
  local g = heldGone(node, id)
  if g and g[3] == 1 then put('x:', id, gone, nil)
  elseif g then
    g[3], g[5] = 1, 0
    dirty['x:' .. id] = g
  end
end
`

/** KEYS edges; ARGV op freezeMs keepMs settleMs silentMs, then its own: see OPERATIONS. */
export const MEMBERSHIP = script(
  'membership',
  'writes',
  TABLE,
  OPERATIONS,
  `
for field, row in pairs(dirty) do
  if row then redis.call('HSET', KEYS[1], field, cmsgpack.pack(row)) else redis.call('HDEL', KEYS[1], field) end
end
redis.call('HSET', KEYS[1], '#', cmsgpack.pack({revision, at}))
local out, ids = {}, {}
for _, m in pairs(members) do out[#out + 1] = {m[3], m[6], int(at - m[5])} end
for id, g in pairs(gone) do if g[2] <= at then ids[#ids + 1] = id end end
return {accepted, int(revision), out, ids, named}
`,
)
