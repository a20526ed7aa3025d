// SPDX-License-Identifier: MIT
// Three network namespaces in a row: a world with a cluster in it, a router that masquerades, and a home behind it. The kernel's own NAT
// with times of a few seconds. Needs root, iproute2 and iptables.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { findProgram } from '@tandem/test-kit'

export const WORLD_ADDRESS = '203.0.113.1'
export const ROUTER_ADDRESS = '203.0.113.2'
export const HOME_ADDRESS = '10.79.0.2'

export interface NatNetwork {
  /** Command and arguments that run a program there. */
  readonly world: readonly string[]
  readonly home: readonly string[]
  /** Ends with everything that still runs inside. */
  remove(): void
}

const ROUTER_INSIDE = '10.79.0.1'

/** The network, or the reason why there can be none here. @param udpTimeoutS after which the router forgets a silent mapping */
export function createNatNetwork(udpTimeoutS: number): NatNetwork | string {
  const ip = findProgram(['ip', '/sbin/ip', '/usr/sbin/ip'], 'iproute2')
  if (!ip.available) return ip.reason
  const iptables = findProgram(['iptables', '/sbin/iptables', '/usr/sbin/iptables'], 'iptables')
  if (!iptables.available) return iptables.reason
  const id = randomBytes(3).toString('hex')
  const [world, router, home] = [`t-world-${id}`, `t-router-${id}`, `t-home-${id}`] as const
  const run = (...args: string[]): string => execFileSync(ip.path, args, { stdio: 'pipe' }).toString()
  const inside = (name: string, command: string): string => run('netns', 'exec', name, 'sh', '-ec', command)
  const remove = (): void => {
    for (const name of [world, router, home]) removeNamespace(run, name)
  }
  try {
    for (const name of [world, router, home]) {
      run('netns', 'add', name)
      run('-n', name, 'link', 'set', 'lo', 'up')
    }
    connect(run, [world, WORLD_ADDRESS], [router, ROUTER_ADDRESS], 'w')
    connect(run, [home, HOME_ADDRESS], [router, ROUTER_INSIDE], 'h')
    run('-n', home, 'route', 'add', 'default', 'via', ROUTER_INSIDE)
    inside(router, 'echo 1 > /proc/sys/net/ipv4/ip_forward')
    inside(router, `${iptables.path} -t nat -A POSTROUTING -o w1 -j MASQUERADE --random`)
    for (const which of ['udp_timeout', 'udp_timeout_stream'])
      inside(router, `echo ${udpTimeoutS} > /proc/sys/net/netfilter/nf_conntrack_${which}`)
  } catch (error) {
    remove()
    return `no NAT can be made here: ${String(error).split('\n')[0]}`
  }
  const prefix = (name: string) => [ip.path, 'netns', 'exec', name]
  return { world: prefix(world), home: prefix(home), remove }
}

type Run = (...args: string[]) => string
type End = readonly [name: string, address: string]

function connect(run: Run, [near, nearAddress]: End, [far, farAddress]: End, link: string): void {
  run('link', 'add', `${link}0`, 'netns', near, 'type', 'veth', 'peer', 'name', `${link}1`, 'netns', far)
  run('-n', near, 'addr', 'add', `${nearAddress}/24`, 'dev', `${link}0`)
  run('-n', far, 'addr', 'add', `${farAddress}/24`, 'dev', `${link}1`)
  run('-n', near, 'link', 'set', `${link}0`, 'up')
  run('-n', far, 'link', 'set', `${link}1`, 'up')
}

function removeNamespace(run: Run, name: string): void {
  try {
    for (const pid of run('netns', 'pids', name).split('\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL')
    run('netns', 'del', name)
  } catch {
    // It was never made.
  }
}
