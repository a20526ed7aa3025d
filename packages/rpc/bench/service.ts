// SPDX-License-Identifier: MIT
//
// The service of the benchmark, as a child process: answers Decide with a plan, and tells the CPU time that it took.
import { createRpcServer, done, type PolicyHandlers, policy, servePolicy } from '@tandem/rpc'

const response = policy.DecideResponse.fromPartial({
  verdict: {
    $case: 'plan',
    value: { steps: [{ targets: [{ where: { $case: 'aor', value: 'sip:bob@example.test' } }] }], accounting: true },
  },
  callRef: 'c7-0123456789abcdef',
  identity: 'alice@example.test',
  account: 'demo',
})

export const handlers: PolicyHandlers = {
  decide: () => done(response),
  report: () => done({ paidMs: undefined }),
  trunkAttempt: () => done({ refused: false, code: '' }),
  answerChallenge: () => done({ credentials: [] }),
  sent: () => done({}),
  captured: () => done({}),
  listCalls: () => done({ calls: [], truncated: false }),
  getAccount: () => done(policy.GetAccountResponse.fromPartial({})),
  unblockAccount: () => done(policy.UnblockAccountResponse.fromPartial({})),
  topUp: () => done(policy.TopUpResponse.fromPartial({})),
  listBans: () => done({ bans: [], truncated: false }),
  addBan: () => done(policy.Ban.fromPartial({})),
  liftBan: () => done({ lifted: 0 }),
  requestHangUp: () => done({ state: '', edgeCount: 0 }),
}

export const request = policy.DecideRequest.fromPartial({
  transactionKey: 'z9hG4bK-74bf9-1-4;192.0.2.17:5060;INVITE',
  edgeId: 'edge-1.mf3k2q',
  method: 'INVITE',
  requestUri: 'sip:bob@example.test',
  from: '"Alice" <sip:alice@example.test>;tag=9fxced76sl',
  to: 'Bob <sip:bob@example.test>',
  callId: '3848276298220188511@192.0.2.17',
  fromTag: '9fxced76sl',
  cseq: 1,
  source: { transport: 'udp', address: '192.0.2.17', port: 5060 },
  userAgent: 'bench/1.0',
})

async function serve(): Promise<void> {
  const server = createRpcServer()
  servePolicy(server, handlers)
  const port = await server.listen('127.0.0.1', 0)
  process.on('message', () => process.send?.({ cpu: process.cpuUsage() }))
  process.on('disconnect', () => process.exit(0))
  process.send?.({ port })
}

if (process.send !== undefined) await serve()
