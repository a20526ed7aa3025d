// SPDX-License-Identifier: MIT
//
// One question over TCP or TLS, on a connection of its own. Where connections from this machine are a load balancer's, it says that it is the
// balancer's own (LOCAL of the PROXY protocol, version 2); over TLS that header would have to come before the handshake, so that nothing is asked
// there.

import type { Socket } from 'node:net'
import { encodeQuestion, isAnswer, type Question } from './question.ts'

const PROXY_LOCAL = Buffer.from('\r\n\r\n\0\r\nQUIT\n\x20\0\0\0', 'latin1')
/** Of the answer. */
const HEAD_BYTES = 9

/** An event loop that was blocked comes to its timers first, and to what has arrived after them. */
const GRACE_MS = 50

/** `refused`: it was accepted, and closed without an answer. Never rejects. */
export function askStream(
  question: Question,
  socket: Socket,
  timeoutMs: number,
  isProxied: boolean,
): Promise<'answered' | 'refused' | 'silent'> {
  return new Promise((resolve) => {
    let isConnected = false
    let bytes: Buffer = Buffer.alloc(0)
    const end = (outcome: 'answered' | 'refused' | 'silent'): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(outcome)
    }
    let timer = setTimeout(() => {
      timer = setTimeout(() => end('silent'), GRACE_MS)
    }, timeoutMs)
    socket.once(question.kind === 'tls' ? 'secureConnect' : 'connect', () => {
      isConnected = true
      if (isProxied) socket.write(PROXY_LOCAL)
      socket.write(encodeQuestion(question, socket.localPort ?? 0))
    })
    socket.on('error', () => undefined) // 'close' follows
    socket.once('close', () => end(isConnected ? 'refused' : 'silent'))
    socket.on('data', (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      if (bytes.length >= HEAD_BYTES) end(isAnswer(bytes) ? 'answered' : 'silent')
    })
  })
}
