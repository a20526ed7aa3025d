// SPDX-License-Identifier: MIT
//
// `tandem check-call`: two phones register at a cluster, one calls the other, and hangs up. Says how long each step took, or which one failed.
// It comes from outside, by SIP alone, so that it needs no cluster file: what `helm test` runs. The bindings that it makes are taken away.
import { lookup } from 'node:dns/promises'
import { performance } from 'node:perf_hooks'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { openLine, type Server, type Transport } from './line.ts'
import { CheckPhone, type Login } from './phone.ts'

export interface CheckFlags {
  /** host, or host:port. */
  readonly server: string
  readonly transport: Transport
  /** user@domain; passwords come by environment, so that no list of processes shows them. */
  readonly caller: string
  readonly callee: string
  readonly timeout: number
}

export interface Step {
  readonly step: 'register' | 'ring' | 'answer' | 'hang up'
  readonly ms: number
}

const EXPIRES_S = 120
const DEFAULT_PORT = 5060

async function serverOf(text: string): Promise<Server> {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined) throw new CommandFailed(`--server ${text}: expected host or host:port`)
  const { address, family } = await lookup(host).catch((error: Error) => {
    throw new CommandFailed(`--server ${host} is not found: ${error.message}`)
  })
  return { address, family: family === 6 ? 6 : 4, port: Number(port ?? DEFAULT_PORT) }
}

function loginOf(
  flag: string,
  aor: string,
  variable: string,
  env: Readonly<Record<string, string | undefined>>,
): Login {
  const [user = '', domain = ''] = aor.split('@')
  if (user === '' || domain === '') throw new CommandFailed(`${flag} ${aor}: expected user@domain`)
  const password = env[variable]
  if (!password) throw new CommandFailed(`the password of ${aor} is not given: set ${variable}`)
  return { user, domain, password }
}

async function phoneOf(login: Login, server: Server, { transport, timeout }: CheckFlags): Promise<CheckPhone> {
  const line = await openLine(transport, server).catch((error: Error) => {
    throw new CommandFailed(`${transport} to ${server.address}, port ${server.port}: ${error.message}`)
  })
  return new CheckPhone(line, login, timeout)
}

/** Throws `CommandFailed` with the step that failed. */
export async function checkCall(flags: CheckFlags, env: Readonly<Record<string, string | undefined>>): Promise<Step[]> {
  const logins = [
    loginOf('--caller', flags.caller, 'TANDEM_CHECK_CALLER_PASSWORD', env),
    loginOf('--callee', flags.callee, 'TANDEM_CHECK_CALLEE_PASSWORD', env),
  ]
  const server = await serverOf(flags.server)
  const phones: CheckPhone[] = []
  try {
    for (const login of logins) phones.push(await phoneOf(login, server, flags))
    const [caller, callee] = phones as [CheckPhone, CheckPhone]
    return await steps(caller, callee)
  } finally {
    await Promise.allSettled(phones.map((phone) => phone.register(0)))
    for (const phone of phones) phone.close()
  }
}

async function steps(caller: CheckPhone, callee: CheckPhone): Promise<Step[]> {
  const done: Step[] = []
  let since = performance.now()
  const note = (step: Step['step']): void => {
    const now = performance.now()
    done.push({ step, ms: Math.round(now - since) })
    since = now
  }
  await caller.register(EXPIRES_S)
  await callee.register(EXPIRES_S)
  note('register')
  let hasRung = false
  const onRinging = (): void => {
    if (!hasRung) note('ring')
    hasRung = true
  }
  const dialog = await caller.call(callee.aor, onRinging)
  await callee.hears('ACK')
  note('answer')
  await caller.hangUp(dialog)
  await callee.hears('BYE')
  note('hang up')
  return done
}

export function describeSteps(steps: readonly Step[], flags: CheckFlags, format: Format): string {
  const { caller, callee, server, transport } = flags
  const text = render(
    format,
    { server, transport, caller, callee, steps },
    ['step', 'ms'],
    steps.map((one) => ({ ...one })),
  )
  return format === 'table' ? `${text}\n${caller} called ${callee} by ${transport} at ${server}: all is well.` : text
}
