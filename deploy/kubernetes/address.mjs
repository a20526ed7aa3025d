// SPDX-License-Identifier: MIT
//
// Init container of an edge: writes the address that phones reach into FILE, which `edge.loadBalancerAddressFile` names. It is that of the
// Services in SERVICES (waited for, WAIT_SECONDS at most), or the ExternalIP of NODE_NAME. So the container that takes SIP holds no token.
import { writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { namespace, need, run } from './api.mjs'

const PAUSE_MS = 2_000
const { FILE = '', SERVICES = '', NODE_NAME = '', WAIT_SECONDS = '0' } = process.env

/** '' where it has none yet. */
async function serviceAddress(name) {
  const service = await need('GET', `/api/v1/namespaces/${namespace()}/services/${name}/status`)
  if (service === undefined) throw new Error(`there is no Service ${name}`)
  const [first] = service.status?.loadBalancer?.ingress ?? []
  return first?.ip ?? first?.hostname ?? ''
}

async function nodeAddress(name) {
  const node = await need('GET', `/api/v1/nodes/${name}/status`)
  const found = node?.status?.addresses?.find(({ type }) => type === 'ExternalIP')
  if (found === undefined) {
    throw new Error(
      `node ${name} has no ExternalIP: set edge.addressFrom to node or metadata, or config.edge.advertisedAddress`,
    )
  }
  return found.address
}

async function addressOf(names) {
  const until = Date.now() + 1_000 * Number(WAIT_SECONDS)
  for (let isFirst = true; ; isFirst = false) {
    const found = await Promise.all(names.map(serviceAddress))
    const missing = names.filter((_, at) => found[at] === '')
    if (missing.length === 0) return theOne(names, found)
    const sentence = `Service ${missing.join(', ')} has no address`
    if (Date.now() >= until)
      throw new Error(
        `${sentence}: does the cluster have load balancers? Else set config.edge.advertisedAddress, or edge.exposure: hostNetwork`,
      )
    if (isFirst) console.error(`${sentence} yet: waiting for ${WAIT_SECONDS} s`)
    await pause(PAUSE_MS)
  }
}

function theOne(names, found) {
  if (new Set(found).size === 1) return found[0]
  const pairs = names.map((name, at) => `${name}: ${found[at]}`).join(', ')
  throw new Error(
    `the Services have different addresses (${pairs}): give both the same one, or set config.edge.advertised for each transport`,
  )
}

await run(async () => {
  const address = NODE_NAME === '' ? await addressOf(SERVICES.split(',')) : await nodeAddress(NODE_NAME)
  writeFileSync(FILE, `${address}\n`)
  console.error(`phones reach this edge at ${address}`)
})
