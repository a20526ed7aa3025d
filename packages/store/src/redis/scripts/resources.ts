// SPDX-License-Identifier: MIT
// Scripts over the resources, all of one slot. `{res}:head` is a hash: revision, hash, ms, files, base, baseHash, folded (chunks of the
// revision after the base that are in it already), logged (documents in the log). `{res}:log` is revision → "stage ms hash chunks writes
// files note". Chunks are texts of JSON under `{res}:chunk:<stage>:<n>`; scripts make their names, which are of the same slot. `{res}:docs`
// is the base. No script walks more than one chunk.

import { script } from './script.ts'

const HEAD = `
local function head()
  local f = redis.call('HMGET', KEYS[1], 'revision', 'hash', 'ms', 'files', 'base')
  return {f[1] or '0', f[2] or '', f[3] or '0', f[4] or '', f[5] or '0'}
end
local function entry(revision)
  local line = redis.call('HGET', KEYS[2], int(revision))
  if not line then return nil end
  local stage, ms, hash, chunks, writes, files, note = string.match(line, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  return {stage = stage, ms = ms, hash = hash, chunks = tonumber(chunks), writes = tonumber(writes), files = files, note = note, line = line}
end
local function chunkKey(stage, n) return '{res}:chunk:' .. stage .. ':' .. int(n) end
`

/** KEYS head. */
export const RESOURCE_HEAD = script('resource-head', 'reads', HEAD, 'return head()')

/** KEYS chunk; ARGV text, milliseconds. */
export const STAGE_RESOURCES = script(
  'stage-resources',
  'writes',
  `
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`,
)

/** KEYS head log; ARGV stage chunks writes expected-revision expected-hash hash note has-files files. Returns {outcome, head}. */
export const COMMIT_RESOURCES = script(
  'commit-resources',
  'writes',
  HEAD,
  `
local at = head()
local revision = tonumber(ARGV[4]) + 1
local known = entry(revision)
if known and known.stage == ARGV[1] then return {1, at} end
if at[1] ~= ARGV[4] or at[2] ~= ARGV[5] then return {0, at} end
local chunks = tonumber(ARGV[2])
for n = 0, chunks - 1 do
  if redis.call('EXISTS', chunkKey(ARGV[1], n)) == 0 then return {2, at} end
end
for n = 0, chunks - 1 do redis.call('PERSIST', chunkKey(ARGV[1], n)) end
local ms = int(now())
local files = at[4]
if ARGV[8] == '1' then files = ARGV[9] end
local line = table.concat({ARGV[1], ms, ARGV[6], ARGV[2], ARGV[3], files == '' and '-' or files, ARGV[7]}, ' ')
redis.call('HSET', KEYS[2], int(revision), line)
redis.call('HSET', KEYS[1], 'revision', int(revision), 'hash', ARGV[6], 'ms', ms, 'files', files)
redis.call('HINCRBY', KEYS[1], 'logged', ARGV[3])
return {1, head()}
`,
)

/** KEYS head; ARGV stage, chunks. Of a stage that was not committed. */
export const ABANDON_RESOURCES = script(
  'abandon-resources',
  'writes',
  HEAD,
  `
for n = 0, tonumber(ARGV[2]) - 1 do
  local key = chunkKey(ARGV[1], n)
  if redis.call('PTTL', key) > 0 then redis.call('UNLINK', key) end
end
return 1
`,
)

/** KEYS head docs; ARGV cursor. Returns {base, its hash, next cursor, key and text each}. */
export const READ_RESOURCE_BASE = script(
  'read-resource-base',
  'reads',
  `
local f = redis.call('HMGET', KEYS[1], 'base', 'baseHash')
local page = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', 250)
return {f[1] or '0', f[2] or '', page[1], page[2]}
`,
)

/** KEYS docs; ARGV keys. */
export const READ_BASE_TEXTS = script(
  'read-base-texts',
  'reads',
  `
local out = {}
for i, text in ipairs(redis.call('HMGET', KEYS[1], unpack(ARGV))) do out[i] = text or '' end
return out
`,
)

/** KEYS head log; ARGV revision ('' for the base), its hash, limit. Returns {1, first chunk, lines} or {0}. */
export const READ_RESOURCE_LOG = script(
  'read-resource-log',
  'reads',
  HEAD,
  `
local f = redis.call('HMGET', KEYS[1], 'revision', 'base', 'baseHash', 'folded')
local last, base, folded = tonumber(f[1] or '0'), tonumber(f[2] or '0'), tonumber(f[4] or '0')
local after = base
if ARGV[1] ~= '' then
  after = tonumber(ARGV[1])
  if after == base then
    if ARGV[2] ~= (f[3] or '') or folded > 0 then return {0} end
  else
    local known = entry(after)
    if not known or known.hash ~= ARGV[2] then return {0} end
  end
end
local lines = {}
for revision = after + 1, math.min(last, after + tonumber(ARGV[3])) do
  local known = entry(revision)
  if not known then return {0} end
  lines[#lines + 1] = int(revision) .. ' ' .. known.line
end
return {1, after == base and folded or 0, lines}
`,
)

/** KEYS head log; ARGV before (0: the newest), limit. Returns lines, newest first. */
export const RESOURCE_HISTORY = script(
  'resource-history',
  'reads',
  HEAD,
  `
local from = tonumber(head()[1])
if ARGV[1] ~= '0' then from = math.min(from, tonumber(ARGV[1]) - 1) end
local lines = {}
for revision = from, math.max(1, from - tonumber(ARGV[2]) + 1), -1 do
  local known = entry(revision)
  if not known then break end
  lines[#lines + 1] = int(revision) .. ' ' .. known.line
end
return lines
`,
)

/** KEYS head log docs; ARGV revisions and documents that the log may have. Returns 1 while there is more to fold. */
export const FOLD_RESOURCES = script(
  'fold-resources',
  'writes later',
  HEAD,
  `
local f = redis.call('HMGET', KEYS[1], 'revision', 'base', 'folded', 'logged')
local last, base, folded, logged = tonumber(f[1] or '0'), tonumber(f[2] or '0'), tonumber(f[3] or '0'), tonumber(f[4] or '0')
local tooLong = last - base > tonumber(ARGV[1]) or (logged > tonumber(ARGV[2]) and last - base > 1)
if folded == 0 and not tooLong then return 0 end
local known = entry(base + 1)
if not known then return 0 end
if folded < known.chunks then
  local key = chunkKey(known.stage, folded)
  local text = redis.call('GET', key)
  if text then
    local writes = cjson.decode(text)
    for _, write in ipairs(writes) do
      if write[2] == '' then redis.call('HDEL', KEYS[3], write[1]) else redis.call('HSET', KEYS[3], write[1], write[2]) end
    end
    redis.call('UNLINK', key)
  end
  folded = folded + 1
end
if folded < known.chunks then
  redis.call('HSET', KEYS[1], 'folded', int(folded))
  return 1
end
redis.call('HDEL', KEYS[2], int(base + 1))
redis.call('HSET', KEYS[1], 'base', int(base + 1), 'baseHash', known.hash, 'folded', '0')
redis.call('HINCRBY', KEYS[1], 'logged', int(0 - known.writes))
return 1
`,
)
