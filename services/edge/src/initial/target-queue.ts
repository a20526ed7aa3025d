// SPDX-License-Identifier: MIT
//
// The target set of one request (RFC 3261 sections 16.5 and 16.6): what waits to be tried, in groups that ring together, and what has
// been tried. Plain data: it sends nothing and waits for nothing.
//
// Invariants: a target is in it once [RFC3261-16.5], in a round of its own once more; of the bindings of one instance one is tried at a time, and none any more
// after that instance has answered [RFC5626-7].

import { policy } from '@tandem/rpc'
import { compareUris, type ProxyBranch, type ProxyContext, parseUri } from '@tandem/sip'
import type { NextHop } from '../hops/hops.ts'
import type { Candidate } from './targets.ts'

const { BY_Q, SERIAL } = policy.Step_Forking

export class TargetQueue {
  /** What left, each at the position of its branch in the context. */
  readonly sent: Candidate[] = []
  private waiting: Candidate[] = []
  private lastGroup = 0
  /** What left before is of earlier rounds: it may be tried again. */
  private roundStart = 0

  get isEmpty(): boolean {
    return this.waiting.length === 0
  }

  get length(): number {
    return this.waiting.length
  }

  /** Groups that wait. */
  get groupCount(): number {
    return new Set(this.waiting.map(({ group }) => group)).size
  }

  /**
   * DEVIATION[RFC3261-16.5j]: from now on what was tried may be added once more, where a plan asks for another round: phones that nobody
   * has answered ring again.
   */
  beginRound(): void {
    this.roundStart = this.sent.length
  }

  /**
   * Takes a step's targets; those that are known already are left out.
   *
   * @param waveSize targets of a group, 0 as forking has it
   */
  add(candidates: readonly Candidate[], forking: policy.Step_Forking, waveSize = 0): void {
    if (waveSize > 0) this.numberWaves(candidates, waveSize)
    else this.number(candidates, forking)
    this.waiting = this.waiting.concat(this.withoutKnown(candidates))
  }

  /**
   * Takes targets that come before all that wait, equal q together: the Contacts of a 3xx, highest q first.
   *
   * @returns false when all of them are known already
   */
  addAhead(candidates: readonly Candidate[]): boolean {
    this.number(candidates, BY_Q)
    const added = this.withoutKnown(candidates)
    this.waiting = [...added, ...this.waiting]
    return added.length > 0
  }

  private withoutKnown(candidates: readonly Candidate[]): readonly Candidate[] {
    if (candidates.length < 2 && this.sent.length === 0 && this.waiting.length === 0) return candidates
    const added: Candidate[] = []
    for (const candidate of candidates) {
      const isKnown = [this.sentThisRound(), this.waiting, added].some((list) =>
        list.some((one) => isSameTarget(one, candidate)),
      )
      if (!isKnown) added.push(candidate)
    }
    return added
  }

  private sentThisRound(): readonly Candidate[] {
    return this.roundStart === 0 ? this.sent : this.sent.slice(this.roundStart)
  }

  /** So many targets after another, with all their bindings. */
  private numberWaves(candidates: readonly Candidate[], waveSize: number): void {
    let target: policy.Target | undefined
    let count = waveSize
    for (const candidate of candidates) {
      if (candidate.target !== target) {
        if (count === waveSize) this.lastGroup += 1
        count = count === waveSize ? 1 : count + 1
        target = candidate.target
      }
      candidate.group = this.lastGroup
    }
  }

  /** [RFC3261-16.6] Sorts, and says which ring together. */
  private number(candidates: readonly Candidate[], forking: policy.Step_Forking): void {
    const ordered = forking === BY_Q || forking === SERIAL ? (candidates as Candidate[]).sort(byQ) : candidates
    let before: Candidate | undefined
    for (const candidate of ordered) {
      const isNew =
        before === undefined || forking === SERIAL || (forking === BY_Q && candidate.qMilli !== before.qMilli)
      if (isNew) this.lastGroup += 1
      candidate.group = this.lastGroup
      before = candidate
    }
  }

  /** True when what comes next belongs to a group of which a part has been tried. */
  continues(context: ProxyContext, group: number): boolean {
    this.dropAnswered(context)
    return this.waiting[0]?.group === group
  }

  /** Takes what rings together next, at most `limit` of it. */
  take(context: ProxyContext, limit: number): Candidate[] {
    this.dropAnswered(context)
    if (this.waiting.length === 1 && limit > 0) return this.takeOnly(context)
    const group = this.waiting[0]?.group
    const taken: Candidate[] = []
    const left: Candidate[] = []
    for (const candidate of this.waiting) {
      const fits = candidate.group === group && taken.length < limit
      if (fits && !sharesInstance(taken, candidate) && !this.isRinging(context, candidate)) taken.push(candidate)
      else left.push(candidate)
    }
    this.waiting = left
    return taken
  }

  private takeOnly(context: ProxyContext): Candidate[] {
    const taken = this.waiting
    if (this.isRinging(context, taken[0] as Candidate)) return []
    this.waiting = []
    return taken
  }

  /** [RFC5626-7] Another flow of the instance whose flow has failed. */
  takeOtherFlow({ instance }: Candidate): Candidate | undefined {
    const at = instance === '' ? -1 : this.waiting.findIndex((one) => one.instance === instance)
    return at < 0 ? undefined : this.waiting.splice(at, 1)[0]
  }

  clear(): void {
    this.waiting = []
  }

  private isRinging(context: ProxyContext, { instance }: Candidate): boolean {
    return instance !== '' && this.sent.some((one, k) => one.instance === instance && context.branches[k]?.final === 0)
  }

  /** [RFC5626-7] An instance that has responded with anything but 408 or 430 is not asked again. */
  private dropAnswered(context: ProxyContext): void {
    if (!this.waiting.some(({ instance }) => instance !== '')) return
    const isAnswered = (instance: string): boolean =>
      this.sent.some((one, k) => k >= this.roundStart && one.instance === instance && hasAnswered(context.branches[k]))
    this.waiting = this.waiting.filter(({ instance }) => instance === '' || !isAnswered(instance))
  }
}

function hasAnswered(branch: ProxyBranch | undefined): boolean {
  if (branch === undefined || branch.lost || branch.final === 0) return false
  return branch.provisional > 100 || (branch.final !== 408 && branch.final !== 430)
}

function byQ(a: Candidate, b: Candidate): number {
  return b.qMilli - a.qMilli
}

function sharesInstance(taken: readonly Candidate[], { instance }: Candidate): boolean {
  return instance !== '' && taken.some((one) => one.instance === instance)
}

/** [RFC3261-16.5] Equal URIs [RFC3261-19.1.4] by the same way; one address behind two NATs is two places. */
function isSameTarget(a: Candidate, b: Candidate): boolean {
  return isSameWay(a.hop, b.hop) && (a.hop.uri === b.hop.uri || areEqualUris(a.hop.uri, b.hop.uri))
}

function isSameWay({ flow: a }: NextHop, { flow: b }: NextHop): boolean {
  const isSamePlace = a.transport === b.transport && a.address === b.address && a.port === b.port
  return isSamePlace && a.edgeId === b.edgeId && a.flowId === b.flowId
}

function areEqualUris(a: string, b: string): boolean {
  const first = parseUri(a)
  const second = parseUri(b)
  return first !== undefined && second !== undefined && compareUris(first, second)
}

/** [RFC5393-5.3.3] All of it, divided among branches that are alive together. */
export function shareBreadth(group: readonly Candidate[], breadth: number): void {
  let left = breadth
  for (let k = group.length; k > 0; k -= 1) {
    const share = Math.ceil(left / k)
    ;(group[group.length - k] as Candidate).breadth = share
    left -= share
  }
}

/** The one with the highest q, of equal ones the first. */
export function bestOf(candidates: readonly Candidate[]): Candidate[] {
  let best = candidates[0]
  for (const one of candidates) if (best !== undefined && one.qMilli > best.qMilli) best = one
  return best === undefined ? [] : [best]
}
