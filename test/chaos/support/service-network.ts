// SPDX-License-Identifier: MIT
// A node of Kubernetes in small, of network namespaces: the node itself, one namespace for the phones, one for each edge as its pod. The
// node does what kube-proxy does in its iptables mode for a UDP Service: DNAT of the Service's address to one endpoint by `statistic`, kept
// for the flow by conntrack, whose entries stay when an endpoint goes. What pods send to phones gets the Service's address as source;
// where its port is taken by another pod's flow to the same phone, conntrack chooses another one. With masquerade the pods see the node as
// the source of whatever phones send (externalTrafficPolicy: Cluster).
// Left out: IPVS and nftables modes, several nodes, and that kube-proxy deletes the entries of an endpoint which is gone: here they stay,
// which is harder. Needs root, iproute2 and iptables.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { findProgram } from '@tandem/test-kit'
import type { EdgePlace } from './cluster.ts'

export const SERVICE_ADDRESS = '10.96.0.10'
export const SERVICE_PORT = 5060
export const NODE_ADDRESS = '10.88.0.1'
export const PHONE_ADDRESS = '10.88.0.2'
const PHONES = '10.88.0.0/24'
const CHAIN = 'TANDEM-SVC'

export interface ServiceNetwork {
  /** Of the namespaces; the node's own is this one. */
  readonly name: string
  readonly edges: number
}

/** Whether one can be made here; the reason is a sentence. */
export function networkAvailable(): { readonly available: boolean; readonly reason: string } {
  if (process.getuid?.() !== 0) return { available: false, reason: 'network namespaces need root' }
  for (const [program, debianPackage] of [
    ['ip', 'iproute2'],
    ['iptables', 'iptables'],
    ['iptables-restore', 'iptables'],
  ] as const) {
    const found = findProgram([program], debianPackage)
    if (!found.available) return found
  }
  return { available: true, reason: '' }
}

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { stdio: 'pipe' }).toString()
const inside = (namespace: string): string[] => ['ip', 'netns', 'exec', namespace]

const phonesOf = ({ name }: ServiceNetwork): string => `${name}-phones`
const podOf = ({ name }: ServiceNetwork, edge: number): string => `${name}-pod${edge}`
const podAddress = (edge: number): string => `10.88.${edge + 1}.2`
const namespacesOf = (network: ServiceNetwork): string[] => [
  network.name,
  phonesOf(network),
  ...Array.from({ length: network.edges }, (_, edge) => podOf(network, edge)),
]

/** A link between the node and another namespace, whose default route it is. */
function connect(node: string, other: string, device: string, subnet: string): void {
  run('ip', '-n', node, 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', other)
  run('ip', '-n', node, 'addr', 'add', `${subnet}.1/24`, 'dev', device)
  run('ip', '-n', other, 'addr', 'add', `${subnet}.2/24`, 'dev', 'eth0')
  run('ip', '-n', node, 'link', 'set', device, 'up')
  run('ip', '-n', other, 'link', 'set', 'eth0', 'up')
  run('ip', '-n', other, 'route', 'add', 'default', 'via', `${subnet}.1`)
}

/** Makes the namespaces and the rules that do not change. Throws with what could not be done; nothing is left then. */
export function createServiceNetwork(edges: number, masquerade: boolean): ServiceNetwork {
  const network: ServiceNetwork = { name: `tandem-${randomBytes(3).toString('hex')}`, edges }
  try {
    for (const namespace of namespacesOf(network)) {
      run('ip', 'netns', 'add', namespace)
      run('ip', '-n', namespace, 'link', 'set', 'lo', 'up')
    }
    const { name } = network
    connect(name, phonesOf(network), 'phones', '10.88.0')
    for (let edge = 0; edge < edges; edge++) connect(name, podOf(network, edge), `pod${edge}`, `10.88.${edge + 1}`)
    const [ip, ...exec] = inside(name) as [string, ...string[]]
    run(ip, ...exec, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward')
    execFileSync(ip, [...exec, 'iptables-restore'], { input: fixedRules(edges, masquerade), stdio: 'pipe' })
  } catch (error) {
    removeServiceNetwork(network)
    throw error
  }
  return network
}

function fixedRules(edges: number, masquerade: boolean): string {
  const service = `-d ${SERVICE_ADDRESS}/32 -p udp --dport ${SERVICE_PORT}`
  const pods = Array.from({ length: edges }, (_, edge) => podAddress(edge))
  return [
    '*nat',
    `:${CHAIN} - [0:0]`,
    `-A PREROUTING ${service} -j ${CHAIN}`,
    ...pods.map(
      (pod) => `-A POSTROUTING -s ${pod} -d ${PHONES} -p udp --sport ${SERVICE_PORT} -j SNAT --to ${SERVICE_ADDRESS}`,
    ),
    ...(masquerade ? pods.map((pod) => `-A POSTROUTING -s ${PHONES} -d ${pod} -p udp -j MASQUERADE`) : []),
    'COMMIT\n',
  ].join('\n')
}

/** The endpoints of the Service from now on, put in place at once. From inside the node's namespace. */
export function setEndpoints(edges: readonly number[]): void {
  const rules = edges.map((edge, i) => {
    const share = (1 / (edges.length - i)).toFixed(5)
    const spread = i === edges.length - 1 ? '' : `-m statistic --mode random --probability ${share} `
    return `-A ${CHAIN} -p udp ${spread}-j DNAT --to-destination ${podAddress(edge)}:${SERVICE_PORT}`
  })
  const input = ['*nat', `:${CHAIN} - [0:0]`, ...rules, 'COMMIT\n'].join('\n')
  execFileSync('iptables-restore', ['--noflush'], { input, stdio: 'pipe' })
}

export const nodePrefix = (network: ServiceNetwork): readonly string[] => inside(network.name)
export const phonePrefix = (network: ServiceNetwork): readonly string[] => inside(phonesOf(network))
export const podPlace = (network: ServiceNetwork, edge: number): EdgePlace => ({
  address: podAddress(edge),
  prefix: inside(podOf(network, edge)),
})

/** Ends what still runs inside, and removes the namespaces. */
export function removeServiceNetwork(network: ServiceNetwork): void {
  const there = new Set(
    run('ip', 'netns', 'list')
      .split('\n')
      .map((line) => line.split(' ')[0]),
  )
  for (const namespace of namespacesOf(network).filter((name) => there.has(name))) {
    for (const pid of run('ip', 'netns', 'pids', namespace).split('\n').filter(Boolean)) {
      process.kill(Number(pid), 'SIGKILL')
    }
    run('ip', 'netns', 'del', namespace)
  }
}
