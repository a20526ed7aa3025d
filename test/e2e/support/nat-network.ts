// SPDX-License-Identifier: MIT
// Network namespaces in a row: a world with a cluster in it, a router that masquerades, and a home behind it; a second home has a router of
// its own. The kernel's own NAT, which lets in only the address and port that was sent to, with times of a few seconds. Needs root,
// iproute2 and iptables.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { findProgram } from '@tandem/test-kit'

export const WORLD_ADDRESS = '203.0.113.1'
export const ROUTER_ADDRESS = '203.0.113.2'
export const HOME_ADDRESS = '10.79.0.2'
export const SECOND_HOME_ADDRESS = '10.80.0.2'

export interface NatNetwork {
  /** Command and arguments that run a program there. */
  readonly world: readonly string[]
  readonly home: readonly string[]
  readonly secondHome: readonly string[]
  /** Ends with everything that still runs inside. */
  remove(): void
}

interface Place {
  /** Of the links' names. */
  readonly letters: readonly [string, string]
  readonly world: string
  readonly router: string
  readonly inside: string
  readonly home: string
}

const PLACES: readonly [Place, Place] = [
  { letters: ['w', 'h'], world: WORLD_ADDRESS, router: ROUTER_ADDRESS, inside: '10.79.0.1', home: HOME_ADDRESS },
  { letters: ['x', 'i'], world: '203.0.114.1', router: '203.0.114.2', inside: '10.80.0.1', home: SECOND_HOME_ADDRESS },
]

/** The network, or the reason why there can be none here. @param udpTimeoutS after which a router forgets a silent mapping */
export function createNatNetwork(udpTimeoutS: number): NatNetwork | string {
  const ip = findProgram(['ip', '/sbin/ip', '/usr/sbin/ip'], 'iproute2')
  if (!ip.available) return ip.reason
  const iptables = findProgram(['iptables', '/sbin/iptables', '/usr/sbin/iptables'], 'iptables')
  if (!iptables.available) return iptables.reason
  const id = randomBytes(3).toString('hex')
  const world = `t-world-${id}`
  const routers = PLACES.map((_, k) => `t-router${k}-${id}`)
  const homes = PLACES.map((_, k) => `t-home${k}-${id}`)
  const names = [world, ...routers, ...homes]
  const run = (...args: string[]): string => execFileSync(ip.path, args, { stdio: 'pipe' }).toString()
  const inside = (name: string, command: string): string => run('netns', 'exec', name, 'sh', '-ec', command)
  const remove = (): void => {
    for (const name of names) removeNamespace(run, name)
  }
  try {
    for (const name of names) {
      run('netns', 'add', name)
      run('-n', name, 'link', 'set', 'lo', 'up')
    }
    for (const [k, place] of PLACES.entries()) {
      const [router, home] = [routers[k] as string, homes[k] as string]
      const [toWorld, toHome] = place.letters
      connect(run, [world, place.world], [router, place.router], toWorld)
      connect(run, [home, place.home], [router, place.inside], toHome)
      run('-n', home, 'route', 'add', 'default', 'via', place.inside)
      if (place.world !== WORLD_ADDRESS) run('-n', router, 'route', 'add', 'default', 'via', place.world)
      inside(router, 'echo 1 > /proc/sys/net/ipv4/ip_forward')
      inside(router, `${iptables.path} -t nat -A POSTROUTING -o ${toWorld}1 -j MASQUERADE --random`)
      for (const which of ['udp_timeout', 'udp_timeout_stream'])
        inside(router, `echo ${udpTimeoutS} > /proc/sys/net/netfilter/nf_conntrack_${which}`)
    }
  } catch (error) {
    remove()
    return `no NAT can be made here: ${String(error).split('\n')[0]}`
  }
  const prefix = (name: string) => [ip.path, 'netns', 'exec', name]
  const [home, secondHome] = homes.map(prefix) as [string[], string[]]
  return { world: prefix(world), home, secondHome, remove }
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
