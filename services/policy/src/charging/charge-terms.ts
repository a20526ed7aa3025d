// SPDX-License-Identifier: MIT
//
// How a call is charged, frozen with its decision: the rate of each target. It travels as one text in the description of the
// call, so that whoever settles needs nothing else, and a report makes a lost record whole again. The answered target's rate
// counts. [STATE.md, Hold] A text that can't be read (a newer version's) charges nothing and is counted.
import { firstQuantum, type Rate } from '@tandem/resources'
import { splitUri } from '../decide/uri-parts.ts'
import { type FraudTerms, type FraudTermsText, fraudText, readFraudText } from '../fraud/fraud-terms.ts'

/** One rate, and the targets that it is for; no targets: all of them. */
export interface ChargeLine {
  readonly targets: readonly string[]
  readonly prefix: string
  readonly rate: Rate
}

/** What an account pays that sends the call on, if one of its targets answers. */
export interface ForwardTerms {
  readonly account: string
  readonly currency: string
  /** '' for an account without one. */
  readonly ratePlan: string
  /** Each with its targets. */
  readonly lines: readonly ChargeLine[]
  /** What it owes the counters of rules against fraud. */
  readonly fraud: readonly FraudTerms[]
}

/** What the cluster itself pays for targets of one trunk. */
export interface BuyLine {
  readonly targets: readonly string[]
  readonly currency: string
  readonly rate: Rate
}

export interface ChargeTerms {
  readonly currency: string
  /** '' for an account without one: its calls are free and counted. */
  readonly ratePlan: string
  /** Of the resources from which the rates come. */
  readonly revision: string
  /** None: the call holds nothing of an account, it is only counted. */
  readonly lines: readonly ChargeLine[]
  /** What it owes the counters of rules against fraud. */
  readonly fraud?: readonly FraudTerms[]
  /** What its trunks cost. */
  readonly buy?: readonly BuyLine[]
  /** Accounts that send the call on; among them may be the caller's own. */
  readonly forwards?: readonly ForwardTerms[]
}

export const FREE_RATE: Rate = Object.freeze({
  connectFee: 0n,
  perMinute: 0n,
  firstMs: 1_000,
  nextMs: 1_000,
  graceMs: 0,
})

const VERSION = 1

interface LineText {
  readonly t?: readonly string[]
  readonly x: string
  readonly f: string
  readonly m: string
  readonly i: number
  readonly n: number
  readonly g: number
}

interface BuyText extends Omit<LineText, 'x'> {
  readonly c: string
}

interface ForwardText {
  readonly a: string
  readonly c: string
  readonly p: string
  readonly l: readonly LineText[]
  readonly w?: readonly FraudTermsText[]
}

interface TermsText {
  readonly v: number
  readonly c: string
  readonly p: string
  readonly r: string
  readonly l: readonly LineText[]
  readonly w?: readonly FraudTermsText[]
  readonly b?: readonly BuyText[]
  readonly f?: readonly ForwardText[]
}

function lineText({ targets, prefix: x, rate }: ChargeLine): LineText {
  const { connectFee, perMinute, firstMs: i, nextMs: n, graceMs: g } = rate
  return { ...(targets.length > 0 && { t: targets }), x, f: String(connectFee), m: String(perMinute), i, n, g }
}

function buyText({ targets, rate, currency: c }: BuyLine): BuyText {
  const { x: _, ...rest } = lineText({ targets, prefix: '', rate })
  return { ...rest, c }
}

export function encodeTerms({ currency: c, ratePlan: p, revision: r, lines, buy = [] }: ChargeTerms): string {
  const b = buy.length > 0 && { b: buy.map(buyText) }
  return JSON.stringify({ v: VERSION, c, p, r, l: lines.map(lineText), ...b } satisfies TermsText)
}

/** Of a call that nobody is charged for, and whose trunk costs something; '' for none. */
export function buyCharge(buy: readonly BuyLine[]): string {
  return buy.length === 0 ? '' : encodeTerms({ currency: '', ratePlan: '', revision: '', lines: [], buy })
}

function readBuy({ c, ...line }: BuyText): BuyLine {
  const { targets, rate } = readLine({ ...line, x: '' })
  return { targets, rate, currency: c }
}

function readLine({ t = [], x, f, m, i, n, g }: LineText): ChargeLine {
  const rate = { connectFee: BigInt(f), perMinute: BigInt(m), firstMs: i, nextMs: n, graceMs: g }
  return { targets: t, prefix: x, rate }
}

/** The same with what the call owes the counters. */
export function withFraud(charge: string, fraud: readonly FraudTerms[]): string {
  if (fraud.length === 0) return charge
  return `${charge.slice(0, -1)},"w":${JSON.stringify(fraudText(fraud))}}`
}

const forwardText = ({ account: a, currency: c, ratePlan: p, lines, fraud }: ForwardTerms): ForwardText => ({
  a,
  c,
  p,
  l: lines.map(lineText),
  ...(fraud.length > 0 && { w: fraudText(fraud) }),
})

const readForward = ({ a: account, c: currency, p: ratePlan, l, w }: ForwardText): ForwardTerms => ({
  account,
  currency,
  ratePlan,
  lines: l.map(readLine),
  fraud: readFraudText(w),
})

/** The same with who else pays; `charge` may be ''. An older version reads what the caller pays, and no more. */
export function withForwards(charge: string, forwards: readonly ForwardTerms[], revision: string): string {
  if (forwards.length === 0) return charge
  const own = charge || encodeTerms({ currency: '', ratePlan: '', revision, lines: [] })
  return `${own.slice(0, -1)},"f":${JSON.stringify(forwards.map(forwardText))}}`
}

/** Of a call that costs nothing and is only counted; '' where it owes nothing. */
export function fraudCharge(fraud: readonly FraudTerms[]): string {
  return fraud.length === 0
    ? ''
    : withFraud(encodeTerms({ currency: '', ratePlan: '', revision: '', lines: [] }), fraud)
}

/** undefined: nobody here can read it. */
export function parseTerms(text: string): ChargeTerms | undefined {
  try {
    const { v, c, p, r, l, w, b = [], f } = JSON.parse(text) as TermsText
    if (v !== VERSION) return undefined
    return {
      currency: c,
      ratePlan: p,
      revision: r,
      lines: l.map(readLine),
      fraud: readFraudText(w),
      buy: b.map(readBuy),
      ...(f !== undefined && { forwards: f.map(readForward) }),
    }
  } catch {
    return undefined
  }
}

/** The dearest for a first quantum of `quantumMs`. */
export function dearestOf(lines: readonly ChargeLine[], quantumMs: number): ChargeLine | undefined {
  let dearest: ChargeLine | undefined
  for (const line of lines) {
    if (dearest === undefined || firstQuantum(line.rate, quantumMs) > firstQuantum(dearest.rate, quantumMs))
      dearest = line
  }
  return dearest
}

export const placeOf = (uri: string): string => {
  const { user, host } = splitUri(uri)
  return `${user}@${host}`
}

/** The rate at which somebody who sent the call on pays for the target that answered; undefined: it is none of his. */
export function forwardLineFor({ lines }: Pick<ForwardTerms, 'lines'>, target: string): ChargeLine | undefined {
  const place = placeOf(target)
  return lines.find(({ targets }) => targets.some((one) => placeOf(one) === place))
}

/** What the trunk that answered costs; undefined: none did, or it has no price. @param target as of `lineFor` */
export function buyLineFor({ buy = [] }: ChargeTerms, target: string): BuyLine | undefined {
  if (buy.length === 0) return undefined
  const place = placeOf(target)
  return buy.find(({ targets }) => targets.some((one) => placeOf(one) === place))
}

/**
 * The line of the target that answered: its own URI; a contact of an address-of-record by its user part, where that tells; else
 * the dearest, which is what was held.
 *
 * @param target Request-URI of the branch that answered
 */
export function lineFor({ lines }: Pick<ChargeTerms, 'lines'>, target: string, quantumMs: number): ChargeLine {
  const [only] = lines
  if (only !== undefined && lines.length === 1) return only
  const place = placeOf(target)
  const { user } = splitUri(target)
  const exact = lines.find(({ targets }) => targets.some((one) => placeOf(one) === place))
  const named = lines.filter(({ targets }) => targets.some((one) => splitUri(one).user === user))
  const line = exact ?? (named.length === 1 ? named[0] : dearestOf(lines, quantumMs))
  return line ?? { targets: [], prefix: '', rate: FREE_RATE }
}
