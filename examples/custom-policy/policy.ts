// SPDX-License-Identifier: MIT
//
// A policy service of your own. Users of one domain may register and call each other, numbers that begin with 00 go to a trunk,
// premium numbers are refused, and each call that has ended is one line on standard output. It trusts whoever sends to it.
import { fileURLToPath } from 'node:url'
import grpc, { type sendUnaryData } from '@grpc/grpc-js'
import loader from '@grpc/proto-loader'

const { LISTEN = '127.0.0.1:50052', DOMAIN = 'example.com', TRUNK = 'trunk.example.net' } = process.env

/** What of AuthorizeRequest and ReportRequest is used here; all fields: proto/tandem/policy/v1/policy.proto. */
type Question = { method: string; requestUser: string; requestHost: string; fromHost: string; toHost: string }
type Event = {
  callRef: string
  event: string
  ageMs: number
  call: { fromUri: string; toUri: string }
  failed?: { status: number }
}
type Reply = sendUnaryData<object>

function authorize({ request }: { request: Question }, reply: Reply): void {
  const { method, requestUser, requestHost, fromHost, toHost } = request
  if (method === 'REGISTER') return reply(null, toHost === DOMAIN ? { allow: {} } : refuse(403))
  if (fromHost !== DOMAIN || requestHost !== DOMAIN) return reply(null, refuse(403))
  if (requestUser.startsWith('0900')) return reply(null, refuse(403, 'No Premium Numbers'))
  const uris = requestUser.startsWith('00') ? [`sip:${requestUser}@${TRUNK}`] : []
  reply(null, { allow: { uris, ringMs: 60_000, report: true } })
}

const refuse = (status: number, reason = '') => ({ reject: { status, reason } })

const answeredAt = new Map<string, number>()

function report({ request: { callRef, event, ageMs, call, failed } }: { request: Event }, reply: Reply): void {
  const at = Date.now() - ageMs
  if (event === 'answered' && !answeredAt.has(callRef)) answeredAt.set(callRef, at)
  if (event === 'failed')
    console.log(JSON.stringify({ call: callRef, status: failed?.status, from: call.fromUri, to: call.toUri }))
  const since = answeredAt.get(callRef)
  if (event === 'ended' && answeredAt.delete(callRef))
    console.log(
      JSON.stringify({ call: callRef, status: 200, ms: at - (since ?? at), from: call.fromUri, to: call.toUri }),
    )
  reply(null, {})
}

const proto = process.env.PROTO_DIR ?? fileURLToPath(new URL('../../proto', import.meta.url))
const options = { includeDirs: [proto], longs: String, defaults: true, oneofs: true }
const definition = loader.loadSync('tandem/policy/v1/policy.proto', options)
const server = new grpc.Server()
server.addService(definition['tandem.policy.v1.PolicyService'] as grpc.ServiceDefinition, { authorize, report })
server.bindAsync(LISTEN, grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error
  console.log(`policy listens on port ${port}`)
})
