// SPDX-License-Identifier: MIT
// SIPp's part in these suites: scenario files of ../sipp by name, with their [keywords] given here, and a Call-ID that is
// known beforehand, so that the call's record can be found.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type RunningSipp, runSipp, type SippResult, startSipp } from '@tandem/test-kit'
import { expect } from 'vitest'

export type Transport = 'udp' | 'tcp'

export interface SippRun {
  /** Name of a file in ../sipp, without its ending. */
  readonly scenario: string
  /** SIP port that it sends to; absent for a callee. */
  readonly port?: number
  readonly localPort?: number
  readonly transport?: Transport | 'sctp'
  /** Who authenticates; the quick start's password is derived. */
  readonly user?: string
  readonly password?: string
  readonly callId?: string
  /** Length of its pause without a time of its own. */
  readonly pauseMs?: number
  readonly keys?: Readonly<Record<string, string | number>>
  readonly timeoutMs?: number
  /** What the callee refuses with, in place of the 486 of the file: SIPp takes no keyword there. */
  readonly status?: number
  /** Of both sides; 127.0.0.1 where absent. */
  readonly address?: string
  /** Where SIPp sends from, if that is not `address`. */
  readonly from?: string
}

/** One socket for all calls. */
const MODE = { udp: 'u1', tcp: 't1', sctp: 's1' } as const

const FOLDER = join(import.meta.dirname, '../sipp')

/** SIPp numbers its calls from 1; each run here makes one. */
export const newCallId = (what: string): string => `${what}-${randomBytes(6).toString('hex')}-1`

function optionsOf(run: SippRun) {
  const { user = 'nobody', callId = newCallId(run.scenario), address = '127.0.0.1' } = run
  const keys = Object.entries(run.keys ?? {}).flatMap(([name, value]) => ['-key', name, String(value)])
  const args = ['-cid_str', callId.replace(/-1$/, '-%u'), '-au', user, '-ap', run.password ?? `${user}-secret`]
  args.push('-key', 'user', user, '-d', String(run.pauseMs ?? 300), ...keys)
  const file = join(FOLDER, `${run.scenario}.xml`)
  const xml = (status: number): string => readFileSync(file, 'latin1').replace('SIP/2.0 486', `SIP/2.0 ${status}`)
  return {
    scenario: run.status === undefined ? { file } : { xml: xml(run.status) },
    transport: MODE[run.transport ?? 'udp'],
    timeoutMs: run.timeoutMs ?? 15_000,
    args,
    ...(run.port !== undefined && { target: `${bracketed(address)}:${run.port}` }),
    localAddress: run.from ?? address,
    ...(run.localPort !== undefined && { localPort: run.localPort }),
  }
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

export function playSipp(run: SippRun): Promise<SippResult> {
  return runSipp(optionsOf(run))
}

export function beginSipp(run: SippRun): Promise<RunningSipp> {
  return startSipp(optionsOf(run))
}

/** Every call went as its scenario says; else the test shows what SIPp wrote. */
export function expectPlayed(result: SippResult): void {
  const explanation = `${result.errors}\n${result.output.slice(-600)}\n${result.messages.slice(-6_000)}`
  expect(result.exitCode, explanation).toBe(0)
}

/** Status of the last response that SIPp received. */
export function lastStatus(result: SippResult): number {
  const received = result.messages.split(/^-{20,}.*$/m).filter((part) => /received \[/.test(part))
  const statuses = received.flatMap((part) =>
    [...part.matchAll(/^SIP\/2\.0 (\d{3})/gm)].map((match) => Number(match[1])),
  )
  return statuses.at(-1) ?? 0
}

/** Whom `user` is reached at, on the port of a callee that was started before. */
export async function registerSipp(
  user: string,
  edgePort: number,
  contactPort: number,
  transport: Transport = 'udp',
): Promise<void> {
  const contact = `<sip:${user}@127.0.0.1:${contactPort};transport=${transport}>`
  expectPlayed(await playSipp({ scenario: 'register', port: edgePort, user, transport, keys: { contact } }))
}
