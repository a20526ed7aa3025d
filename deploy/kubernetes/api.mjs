// SPDX-License-Identifier: MIT
//
// The Kubernetes API as the chart's small programs need it: one request, with the pod's token. The authority of the API server comes by
// NODE_EXTRA_CA_CERTS. KUBERNETES_API and TOKEN_FOLDER are for tests.
import { readFileSync } from 'node:fs'

const TIMEOUT_MS = 10_000
const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = process.env
const base = process.env.KUBERNETES_API ?? `https://${host.includes(':') ? `[${host}]` : host}:${port}`
const folder = process.env.TOKEN_FOLDER ?? '/var/run/secrets/kubernetes.io/serviceaccount'

export const namespace = () => readFileSync(`${folder}/namespace`, 'utf8').trim()

/** Status and body. Throws where nobody answers. */
export async function ask(method, path, body) {
  const headers = {
    authorization: `Bearer ${readFileSync(`${folder}/token`, 'utf8').trim()}`,
    ...(body && { 'content-type': 'application/json' }),
  }
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const response = await fetch(base + path, { method, headers, signal, ...(body && { body: JSON.stringify(body) }) })
  return { status: response.status, body: await response.json().catch(() => ({})) }
}

/** The body of a 2xx; undefined for 404. Throws a sentence for anything else. */
export async function need(method, path, body) {
  const answer = await ask(method, path, body)
  if (answer.status === 404) return undefined
  if (answer.status < 300) return answer.body
  throw new Error(`${method} ${path}: ${answer.status} ${answer.body.message ?? ''}`.trim())
}

/** Runs a program: a failure is one sentence and status 1. */
export async function run(program) {
  try {
    await program()
  } catch (error) {
    console.error(error.cause?.message ? `${error.message}: ${error.cause.message}` : error.message)
    process.exitCode = 1
  }
}
