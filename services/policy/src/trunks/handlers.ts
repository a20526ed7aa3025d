// SPDX-License-Identifier: MIT
//
// What edges ask and tell of trunks: attempts, challenges, and requests that they sent in our name. The same question may come to any node.
export { trunkAttempt } from './attempts.ts'
export { answerChallenge } from './challenges.ts'
export { listTrunks } from './list-trunks.ts'
