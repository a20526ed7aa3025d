// SPDX-License-Identifier: MIT
//
// One question over UDP, from a socket of its own.

import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { encodeQuestion, isAnswer, type Question } from './question.ts'

/** An event loop that was blocked comes to its timers first, and to what has arrived after them. */
const GRACE_MS = 50

/** Never rejects. */
export function askUdp(question: Question, timeoutMs: number): Promise<'answered' | 'silent'> {
  const { host, port } = question
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  return new Promise((resolve) => {
    const end = (outcome: 'answered' | 'silent'): void => {
      clearTimeout(timer)
      socket.removeAllListeners('message')
      socket.close()
      resolve(outcome)
    }
    let timer = setTimeout(() => {
      timer = setTimeout(() => end('silent'), GRACE_MS)
    }, timeoutMs)
    socket.once('error', () => end('silent'))
    socket.on('message', (bytes) => {
      if (isAnswer(bytes)) end('answered')
    })
    socket.bind(0, host, () => socket.send(encodeQuestion(question, socket.address().port), port, host))
  })
}
