// SPDX-License-Identifier: MIT
// SIPp as the phones of a chaos run: callees, each a socket of its own, registered beforehand; two callers with a socket a call, one whose
// calls the caller ends and one whose calls the callee ends. What they traced, a line a message, is what judge.ts reads.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type RunningSipp, runSipp, type SippOptions, type SippResult, startSipp } from '@tandem/test-kit'
import { DOMAIN } from './cluster.ts'

const FOLDER = join(import.meta.dirname, '../sipp')
const REGISTER = join(import.meta.dirname, '../../e2e/sipp/register-open.xml')
/** Half of the callees ring this long, half of them that long. */
const RING_MS = [200, 600]
/** What SIPp waits for a message before it gives the call up. */
const RECEIVE_MS = 20_000
/** SIPp takes a busy machine for a fault of its own otherwise, and holds calls back while many are open. */
const PATIENT = ['-watchdog_minor_threshold', '60000', '-watchdog_major_threshold', '60000', '-l', '100000']
/** Callees outlive the last call, however late it comes: they are stopped, this is for the case that nobody does. */
const CALLEE_MS = 300_000

/** Where SIPp runs. */
export interface PartyPlace {
  readonly address: string
  /** Command and arguments that run a program there. */
  readonly prefix: readonly string[]
  /** host:port of the cluster. */
  readonly target: string
  /** A local port that nobody has there. */
  nextPort(): Promise<number>
}

export interface Traffic {
  readonly seconds: number
  /** Calls a second, of both kinds together. */
  readonly rate: number
  readonly talkMs: number
  readonly callees: number
}

/** What both sides traced. */
export interface Traces {
  readonly callers: readonly string[]
  readonly callees: readonly string[]
  /** Why SIPp gave up calls, a paragraph each. */
  readonly errors: readonly string[]
}

/** The last address of a call, by who ends it. */
const KINDS = [
  { caller: 'call-and-hang-up', callee: 'answer' },
  { caller: 'call-and-be-hung-up', callee: 'answer-and-hang-up' },
] as const

function scenario(name: string, talkMs: number, ringMs = 0): { xml: string } {
  const xml = readFileSync(join(FOLDER, `${name}.xml`), 'latin1')
  return { xml: xml.replaceAll('TALK_MS', String(talkMs)).replaceAll('RING_MS', String(ringMs)) }
}

/** Of its error file, the calls that it gave up; the pauses of our scenarios are timeouts too, which lead on. */
function complaints(errors: string): string[] {
  const paragraphs = errors.split(/(?=\d{4}-\d\d-\d\d\t)/)
  return paragraphs.filter((text) => /aborting/i.test(text))
}

const kindOf = (callee: number): number => callee % KINDS.length

export class Parties {
  readonly #place: PartyPlace
  readonly #traffic: Traffic
  readonly #callees: RunningSipp[] = []
  readonly #callers: RunningSipp[] = []

  private constructor(place: PartyPlace, traffic: Traffic) {
    this.#place = place
    this.#traffic = traffic
  }

  /** Comes back when every callee is registered. */
  static async start(place: PartyPlace, traffic: Traffic): Promise<Parties> {
    const parties = new Parties(place, traffic)
    try {
      for (let callee = 0; callee < traffic.callees; callee++) await parties.#startCallee(callee)
    } catch (error) {
      await parties.stop()
      throw error
    }
    return parties
  }

  async #options(more: Partial<SippOptions> & Pick<SippOptions, 'scenario'>): Promise<SippOptions> {
    const { address, prefix, nextPort } = this.#place
    const timeoutMs = this.#traffic.seconds * 1_000 + 5 * RECEIVE_MS
    const localPort = await nextPort()
    return { localAddress: address, localPort, prefix, timeoutMs, trace: 'short', ...more }
  }

  async #startCallee(callee: number): Promise<void> {
    const { talkMs } = this.#traffic
    const { callee: name } = KINDS[kindOf(callee)] as (typeof KINDS)[number]
    const ringMs = RING_MS[(callee >> 1) % RING_MS.length] as number
    const args = [...PATIENT, '-key', 'callee', `callee${callee}`, '-recv_timeout', String(RECEIVE_MS)]
    const localPort = await this.#place.nextPort()
    // From the port that it is called at, as phones do: what translates addresses on the way sees one flow.
    await this.#register(`callee${callee}`, localPort)
    const timeoutMs = this.#traffic.seconds * 1_000 + CALLEE_MS
    const options = { scenario: scenario(name, talkMs, ringMs), calls: 0, args, localPort, timeoutMs }
    this.#callees.push(await startSipp(await this.#options(options)))
  }

  async #register(user: string, port: number): Promise<void> {
    const { address, target } = this.#place
    const keys = { user, domain: DOMAIN, contact: `<sip:${user}@${address}:${port}>` }
    const args = Object.entries(keys).flatMap(([name, value]) => ['-key', name, value])
    const scenario = { file: REGISTER }
    const options = await this.#options({ scenario, target, args, timeoutMs: RECEIVE_MS, localPort: port })
    const result = await runSipp(options)
    if (result.exitCode !== 0) throw new Error(`${user} was not registered\n${result.errors}\n${result.messages}`)
  }

  /** Makes all calls. Comes back when the last of them has ended. */
  async call(): Promise<Traces> {
    const { rate, seconds } = this.#traffic
    const results = await Promise.all(
      KINDS.map(async (_, kind) =>
        this.#callOf(kind, kind === 0 ? Math.ceil(rate / 2) : Math.floor(rate / 2), seconds),
      ),
    )
    const ended = await this.stop()
    return {
      callers: results.map(({ messages }) => messages),
      callees: ended.map(({ messages }) => messages),
      errors: [...results, ...ended].flatMap(({ errors }) => complaints(errors)),
    }
  }

  async #callOf(kind: number, rate: number, seconds: number): Promise<SippResult> {
    const { callees, talkMs } = this.#traffic
    const { target } = this.#place
    const names = Array.from({ length: callees }, (_, k) => k).filter((k) => kindOf(k) === kind)
    const inject = `SEQUENTIAL\n${names.map((k) => `callee${k}\n`).join('')}`
    const { caller } = KINDS[kind] as (typeof KINDS)[number]
    const more = { target, transport: 'un', rate, calls: rate * seconds, inject } as const
    const args = [...PATIENT, '-recv_timeout', String(RECEIVE_MS), '-cid_str', `%u-${kind}-%p@%s`]
    const running = await startSipp(await this.#options({ scenario: scenario(caller, talkMs), ...more, args }))
    this.#callers.push(running)
    return running.result
  }

  /** No further calls; those that have begun go on to their end. */
  finish(): void {
    for (const { process } of this.#callers) if (process.end === undefined) process.signal('SIGUSR1')
  }

  /** Ends the callees, and callers that still call. */
  async stop(): Promise<SippResult[]> {
    await Promise.all(this.#callers.splice(0).map((phone) => phone.stop(0)))
    return Promise.all(this.#callees.splice(0).map((phone) => phone.stop(1_000)))
  }
}
