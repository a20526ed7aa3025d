// SPDX-License-Identifier: MIT
// Preloaded into a process (`node --import`): its wall clock is ahead by CLOCK_AHEAD_MS. Its monotonic clock and its timers are right.
const RealDate = Date
const aheadMs = Number(process.env.CLOCK_AHEAD_MS ?? 0)
const now = () => RealDate.now() + aheadMs

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, made) => Reflect.construct(target, args.length === 0 ? [now()] : args, made),
  apply: () => new RealDate(now()).toString(),
  get: (target, property) => (property === 'now' ? now : Reflect.get(target, property)),
})
