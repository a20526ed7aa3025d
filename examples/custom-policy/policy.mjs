// SPDX-License-Identifier: MIT
//
// A policy service of your own: everyone may call, everyone may register, 0900 numbers are forbidden.
import { fileURLToPath } from 'node:url'
import grpc from '@grpc/grpc-js'
import loader from '@grpc/proto-loader'

const root = process.env.PROTO_DIR ?? fileURLToPath(new URL('../../proto', import.meta.url))
const options = { includeDirs: [root], longs: String, defaults: true, oneofs: true }
const proto = grpc.loadPackageDefinition(loader.loadSync('tandem/policy/v1/policy.proto', options))

function decide({ request }, reply) {
  const [, aor = ''] = request.to.match(/<(sips?:[^;>]+)/) ?? []
  if (request.method === 'REGISTER') return reply(null, { admit: { aor, maxContacts: 10 } })
  if (/^sip:0900/.test(request.requestUri)) return reply(null, { reject: { status: 403, code: 'premium' } })
  const target = { aor: request.requestUri.replace(/[;?].*/, '') }
  reply(null, { plan: { steps: [{ targets: [target] }] } })
}

const server = new grpc.Server()
server.addService(proto.tandem.policy.v1.PolicyService.service, { decide, report: (_call, reply) => reply(null, {}) })
server.bindAsync(process.env.LISTEN ?? '127.0.0.1:50052', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error
  console.log(`policy listens on port ${port}`)
})
