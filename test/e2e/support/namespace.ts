// SPDX-License-Identifier: MIT
// A network of a test's own, with an address that is not loopback: some phones refuse 127.0.0.1. Needs root and iproute2.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { findProgram } from '@tandem/test-kit'

export const NAMESPACE_ADDRESS = '10.77.0.1'

export interface Namespace {
  readonly name: string
  /** Command and arguments that run a program inside. */
  readonly prefix: readonly string[]
  /** Ends with everything that still runs inside. */
  remove(): void
}

/** A namespace, or the reason why there can be none here. */
export function createNamespace(): Namespace | string {
  const ip = findProgram(['ip', '/sbin/ip', '/usr/sbin/ip'], 'iproute2')
  if (!ip.available) return ip.reason
  const name = `tandem-${randomBytes(4).toString('hex')}`
  const run = (...args: string[]): string => execFileSync(ip.path, args, { stdio: 'pipe' }).toString()
  try {
    run('netns', 'add', name)
    run('-n', name, 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far')
    run('-n', name, 'addr', 'add', `${NAMESPACE_ADDRESS}/24`, 'dev', 'near')
    for (const device of ['lo', 'near', 'far']) run('-n', name, 'link', 'set', device, 'up')
  } catch (error) {
    return `no network namespace can be made here: ${String(error).split('\n')[0]}`
  }
  return {
    name,
    prefix: [ip.path, 'netns', 'exec', name],
    remove: () => {
      for (const pid of run('netns', 'pids', name).split('\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL')
      run('netns', 'del', name)
    },
  }
}
