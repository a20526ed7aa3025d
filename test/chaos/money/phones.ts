// SPDX-License-Identifier: MIT
// SIPp as the phones of a money run: callees, each a socket of its own, registered beforehand, and two callers with a socket a call, who
// call as whichever subscriber the seed says. Either side hangs up, after one of eight lengths of its own. What both traced is what judge.ts reads.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  createRandom,
  freePort,
  type RunningSipp,
  runSipp,
  type SippOptions,
  type SippResult,
  startSipp,
} from '@tandem/test-kit'
import { DOMAIN } from './plan.ts'

const ADDRESS = '127.0.0.1'
const FOLDER = join(import.meta.dirname, 'sipp')
const REGISTER = join(import.meta.dirname, '../../e2e/sipp/register-open.xml')
const RING_MS = [150, 500]
/** Milliseconds; callees are more patient than callers. */
const CALLER_TALK = [300, 1_700, 2_900, 4_300, 6_100, 8_700, 12_300, 19_000]
const CALLEE_TALK = [2_300, 5_900, 9_100, 14_000, 25_000, 25_000, 25_000, 25_000]
/** What SIPp waits for a message before it gives the call up. */
const RECEIVE_MS = 20_000
/** The last calls last so long after the first one's end. */
export const LONGEST_MS = 25_000 + 2 * RECEIVE_MS
/** SIPp takes a busy machine for a fault of its own otherwise, and holds calls back while many are open. */
const PATIENT = ['-watchdog_minor_threshold', '60000', '-watchdog_major_threshold', '60000', '-l', '100000']
const CALLERS = 2

export interface Traffic {
  readonly target: string
  readonly seconds: number
  /** Calls a second. */
  readonly rate: number
  readonly seed: number
  readonly payers: readonly string[]
  readonly callees: readonly string[]
}

export interface Traces {
  readonly callers: readonly string[]
  readonly callees: readonly string[]
}

function scenario(name: string, talk: readonly number[], ringMs = 0): { xml: string } {
  const text = readFileSync(join(FOLDER, `${name}.xml`), 'latin1').replaceAll('RING_MS', String(ringMs))
  return { xml: text.replaceAll(/TALK_(\d)/g, (_, index: string) => String(talk[Number(index)])) }
}

async function optionsOf(
  traffic: Traffic,
  more: Partial<SippOptions> & Pick<SippOptions, 'scenario'>,
): Promise<SippOptions> {
  const timeoutMs = traffic.seconds * 1_000 + 3 * LONGEST_MS
  return { localAddress: ADDRESS, localPort: await freePort(ADDRESS), timeoutMs, trace: 'short', ...more }
}

export class Phones {
  readonly #traffic: Traffic
  readonly #callees: RunningSipp[] = []

  private constructor(traffic: Traffic) {
    this.#traffic = traffic
  }

  /** Comes back when every callee is registered. */
  static async start(traffic: Traffic): Promise<Phones> {
    const phones = new Phones(traffic)
    try {
      for (const [index, callee] of traffic.callees.entries()) await phones.#startCallee(callee, index)
    } catch (error) {
      await phones.stop()
      throw error
    }
    return phones
  }

  async #startCallee(callee: string, index: number): Promise<void> {
    const localPort = await freePort(ADDRESS)
    await this.#register(callee, localPort)
    const args = [...PATIENT, '-key', 'callee', callee, '-recv_timeout', String(RECEIVE_MS)]
    const xml = scenario('callee', CALLEE_TALK, RING_MS[index % RING_MS.length])
    this.#callees.push(await startSipp(await optionsOf(this.#traffic, { scenario: xml, calls: 0, args, localPort })))
  }

  async #register(user: string, localPort: number): Promise<void> {
    const keys = { user, domain: DOMAIN, contact: `<sip:${user}@${ADDRESS}:${localPort}>` }
    const args = Object.entries(keys).flatMap(([name, value]) => ['-key', name, value])
    const { target } = this.#traffic
    const options = { scenario: { file: REGISTER }, target, args, localPort, timeoutMs: RECEIVE_MS }
    const result = await runSipp(await optionsOf(this.#traffic, options))
    if (result.exitCode !== 0) throw new Error(`${user} was not registered\n${result.errors}\n${result.messages}`)
  }

  /** Makes all calls. Comes back when the last of them has ended. */
  async call(): Promise<Traces> {
    const callers = await Promise.all(Array.from({ length: CALLERS }, (_, caller) => this.#callOf(caller)))
    const callees = await this.stop()
    return { callers: callers.map(({ messages }) => messages), callees: callees.map(({ messages }) => messages) }
  }

  async #callOf(caller: number): Promise<SippResult> {
    const { rate, seconds, target, seed, payers, callees } = this.#traffic
    const share = caller === 0 ? Math.ceil(rate / CALLERS) : Math.floor(rate / CALLERS)
    const random = createRandom(seed * CALLERS + caller)
    const one = (from: readonly string[]): string => from[Math.floor(random() * from.length)] as string
    const lines = Array.from({ length: share * seconds }, () => `${one(payers)};${one(callees)}\n`)
    const inject = `SEQUENTIAL\n${lines.join('')}`
    const args = [...PATIENT, '-recv_timeout', String(RECEIVE_MS), '-cid_str', `%u-${caller}-%p@%s`]
    const more = { target, transport: 'un', rate: share, calls: share * seconds, inject, args } as const
    return runSipp(await optionsOf(this.#traffic, { scenario: scenario('caller', CALLER_TALK), ...more }))
  }

  /** Ends the callees. */
  async stop(): Promise<SippResult[]> {
    return Promise.all(this.#callees.splice(0).map((phone) => phone.stop(1_000)))
  }
}
