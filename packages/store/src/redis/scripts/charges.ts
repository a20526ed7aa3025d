// SPDX-License-Identifier: MIT
// What is due at a charged call: the next look at its hold while it lives (xd), and once it has ended its settlement. cg is how it is
// charged, opaque here. Ended: its facts are frozen, and it waits until its account has been charged; settled: its record is
// made, and it waits for the second look at the account; then it is forgotten like any finished call.

import { CALL } from './calls.ts'
import { script } from './script.ts'

/** KEYS call due cdr; ARGV 6 inMs. Gives the state, '' where the call is not on record. */
export const PLAN_CHARGE = script(
  'plan-charge',
  'writes',
  CALL,
  `
local c = loadRaw()
if not c then return '' end
if c.s ~= 'setup' and c.s ~= 'answered' then return c.s end
c.xd = at + tonumber(ARGV[6])
redis.call('ZADD', KEYS[2], int(nearest(c)), ref)
redis.call('SET', KEYS[1], cmsgpack.pack(c))
return c.s
`,
)

/** KEYS call due cdr; ARGV 6 what was charged, JSON; 7 checkInMs, '' for no second look. */
export const SETTLED = script(
  'settled',
  'writes',
  CALL,
  `
local c = loadRaw()
if not c or c.s ~= 'ended' then return {c and 'repeated' or 'ignored', c and c.s or '', '', 0} end
c.bl = ARGV[6]
local kept = c.k and cmsgpack.unpack(c.k)
local told = c.kp
c.k, c.kp = nil, nil
local full = record(c)
if kept then
  kept.bl = c.bl
  if told then full = full + record(kept) end
  c.k = cmsgpack.pack(kept)
end
if ARGV[7] == '' then
  entomb(c)
  return {'finished', 'finished', c.tk or '', full}
end
c.s = 'settled'
keep(c, at + tonumber(ARGV[7]))
return {'finished', 'settled', c.tk or '', full}
`,
)

/** KEYS call due cdr. */
export const CHECKED = script(
  'checked',
  'writes',
  CALL,
  `
local c = loadRaw()
if not c or c.s ~= 'settled' then return 0 end
entomb(c)
return 1
`,
)
