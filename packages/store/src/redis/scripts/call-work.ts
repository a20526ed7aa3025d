// SPDX-License-Identifier: MIT
// What is due at a call before its end: the rules of memory/call-plan.ts in Redis. Short names in the packed call: md mr maximum duration
// and its reason, wm lead of a warning, lv between probes; hd hr ha hs when a hang-up is due, its reason, its attempts, the time of the first; wd when a warning,
// pd when a probe is due; sn silent probes, li last sign of life.

import { SILENT_PROBES, SILENT_RETRY_MS } from '../../memory/call-plan.ts'
import { CALL } from './calls.ts'
import { script } from './script.ts'

const WORK = `
local c = loadCall()
local function again()
  redis.call('ZADD', KEYS[2], int(nearest(c)), ref)
  redis.call('SET', KEYS[1], cmsgpack.pack(c))
end
local function alive()
  c.li, c.sn = at, nil
  if c.lv and c.pd then c.pd = at + c.lv end
end
local function endUnclaimed(reason, when)
  c.en, c.by, c.rs = math.max(when, c.an or 0, c.su or 0), 'system', reason
  return finish(c, c.an and 'answered' or 'error', 'recovered')
end
`

/** KEYS call due cdr; event: ageMs toTag byCaller cseq callerTarget calleeTarget. */
export const UPDATED = script(
  'updated',
  'writes',
  CALL,
  WORK,
  `
if not c then return {'ignored', 'finished', '', 0} end
if c.s == 'finished' or foreign(c) then return done('ignored', c) end
local leg
for _, l in ipairs(c.lg) do if l[1] == ARGV[22] and l[2] == 1 and l[3] == 0 then leg = l end end
if not leg then return done('ignored', c) end
local sender, cseq = ARGV[23] == '1' and 5 or 6, tonumber(ARGV[24])
if leg[4] and cseq >= leg[sender] then
  leg[sender] = cseq
  if ARGV[25] ~= '' then leg[7] = ARGV[25] end
  if ARGV[26] ~= '' then leg[8] = ARGV[26] end
end
if at - tonumber(ARGV[21]) > (c.li or 0) then alive() end
again()
return done('applied', c)
`,
)

/** KEYS call due cdr; ARGV 6 reason 7 inMs. */
export const REQUEST_HANG_UP = script(
  'request-hang-up',
  'writes',
  CALL,
  WORK,
  `
if not c then return '' end
if c.s == 'finished' then return 'finished' end
planHangUp(c, ARGV[6], at + tonumber(ARGV[7]))
again()
return c.s
`,
)

/** KEYS call due cdr; ARGV 6 leaseMs. Gives: kind, now, the packed call, attempt, ms left. */
export const TAKE_WORK = script(
  'take-work',
  'writes',
  CALL,
  WORK,
  `
if not c or c.s == 'finished' then return {} end
local kind, left = '', 0
local lease = at + tonumber(ARGV[6])
if c.hd and c.hd <= at then
  kind, c.ha, c.hd, c.wd = 'hangUp', (c.ha or 0) + 1, lease, nil
  c.hs = c.hs or at
elseif c.s ~= 'answered' then return {}
elseif c.wd and c.wd <= at then
  kind, left, c.wd = 'warn', c.hd - at, nil
elseif c.pd and c.pd <= at then
  kind, c.pd = 'probe', at + c.lv
else return {} end
again()
return {kind, int(at), cmsgpack.pack(c), c.ha or 0, int(left)}
`,
)

/** KEYS call due cdr; ARGV 6 inMs, 7 whether the attempt does not count. */
export const POSTPONE_HANG_UP = script(
  'postpone-hang-up',
  'writes',
  CALL,
  WORK,
  `
if not c or (c.ha or 0) == 0 then return 0 end
c.hd = at + tonumber(ARGV[6])
if ARGV[7] == '1' then c.ha = math.max(1, c.ha - 1) end
again()
return 1
`,
)

/** KEYS call due cdr; ARGV 6 what was found, 7 reason of the end that it may mean. */
export const NOTE_LIFE = script(
  'note-life',
  'writes',
  CALL,
  WORK,
  `
if not c or c.s ~= 'answered' then return {'ignored', '', '', 0} end
local isOver = ARGV[6] == 'gone'
if ARGV[6] == 'alive' then alive() end
if ARGV[6] == 'silent' then
  c.sn = (c.sn or 0) + 1
  c.pd = at + math.min(c.lv or 0, ${SILENT_RETRY_MS})
  isOver = c.sn >= ${SILENT_PROBES}
end
if isOver then return endUnclaimed(ARGV[7], c.li or 0) end
again()
return done('applied', c)
`,
)

/** KEYS call due cdr; ARGV 6 reason. */
export const END_BY_SYSTEM = script(
  'end-by-system',
  'writes',
  CALL,
  WORK,
  `
if not c or c.s == 'finished' then return {'ignored', '', '', 0} end
return endUnclaimed(ARGV[6], c.hs or at)
`,
)
