// SPDX-License-Identifier: MIT
//
// What people ask about messages: `tandem trace` and `tandem filter`. Edges have the messages; here it is checked what is asked, and put together.
import { isIP } from 'node:net'
import type { policy, Result } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import { refusal } from '../errors.ts'
import type { EdgeAnswers } from './ask-edges.ts'

const CALL_ID = /^[!-~]{1,255}$/
const USER = /^[!-~]{1,255}$/
const MAX_FILTER_MS = 86_400_000
const TARGETS = new Set(['log', 'hep'])

export async function traceCall(
  context: PolicyContext,
  { callId }: policy.TraceCallRequest,
): Promise<Result<policy.TraceCallResponse>> {
  if (!CALL_ID.test(callId)) return refusal('bad_call_id')
  return context.edgeQuestions.ask({ $case: 'find', value: { callId } })
}

export async function setMessageFilter(
  context: PolicyContext,
  { filter }: policy.SetMessageFilterRequest,
): Promise<Result<EdgeAnswers>> {
  if (filter === undefined || !isSound(filter)) return refusal('bad_filter')
  return context.edgeQuestions.ask({ $case: 'setFilter', value: filter })
}

export function listMessageFilters(context: PolicyContext): Promise<Result<EdgeAnswers>> {
  return context.edgeQuestions.ask({ $case: 'listFilters', value: {} })
}

export function clearMessageFilters(context: PolicyContext): Promise<Result<EdgeAnswers>> {
  return context.edgeQuestions.ask({ $case: 'clearFilters', value: {} })
}

function isSound({ callId, source, user, targets, forMs }: policy.MessageFilter): boolean {
  if (callId === '' && source === '' && user === '') return false
  if (callId !== '' && !CALL_ID.test(callId)) return false
  if (user !== '' && !USER.test(user)) return false
  if (source !== '' && !isNetwork(source)) return false
  if (targets.length === 0 || !targets.every((target) => TARGETS.has(target))) return false
  return forMs > 0 && forMs <= MAX_FILTER_MS
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32))
}
