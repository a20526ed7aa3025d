// SPDX-License-Identifier: MIT
//
// Questions about messages to all edges: who answers, who does not, who was not asked; and what is not asked at all.
import { PushHub, policy } from '@tandem/rpc'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { PolicyContext } from '../context.ts'
import { EdgeQuestions } from './ask-edges.ts'
import { FilterGreeting } from './filter-greeting.ts'
import { clearMessageFilters, listMessageFilters, setMessageFilter, traceCall } from './handlers.ts'

let pushes: PushHub<policy.Push>
let questions: EdgeQuestions
let context: PolicyContext
/** Commands by the edge that got them. */
let commands: Map<string, policy.CaptureCommand[]>

function edge(peer: string): void {
  commands.set(peer, [])
  pushes.subscribe(peer, ({ event }) => {
    if (event?.$case === 'capture') commands.get(peer)?.push(event.value)
  })
}

beforeEach(() => {
  vi.useFakeTimers()
  pushes = new PushHub<policy.Push>()
  questions = new EdgeQuestions(pushes)
  context = { edgeQuestions: questions } as PolicyContext
  commands = new Map()
})
afterEach(() => {
  vi.useRealTimers()
})

const last = (peer: string): policy.CaptureCommand => commands.get(peer)?.at(-1) as policy.CaptureCommand
const answer = (peer: string, name = peer, commandId = last('edge-0.a').commandId) =>
  questions.captured(policy.CapturedRequest.fromPartial({ commandId, edge: name }), peer)
const find = () => traceCall(context, { callId: 'call-1' })

it('asks every edge, and has the answer as soon as all have given theirs, in the order of their names', async () => {
  edge('edge-1.a')
  edge('edge-0.a')
  const found = find()
  expect(last('edge-0.a').wish).toEqual({ $case: 'find', value: { callId: 'call-1' } })
  expect(last('edge-1.a')).toEqual(last('edge-0.a'))
  answer('edge-1.a')
  answer('edge-0.a')
  expect(await found).toMatchObject({
    outcome: 'done',
    value: { edges: [{ edge: 'edge-0.a' }, { edge: 'edge-1.a' }], silent: [] },
  })
})

it('does not wait for ever: who says nothing is named', async () => {
  edge('edge-0.a')
  edge('edge-1.a')
  const found = find()
  answer('edge-0.a')
  await vi.advanceTimersByTimeAsync(2_000)
  expect(await found).toMatchObject({ value: { edges: [{ edge: 'edge-0.a' }], silent: ['edge-1.a'] } })
  expect(answer('edge-1.a')).toMatchObject({ outcome: 'done' })
})

it('takes no answer of somebody who was not asked, nor of another question', async () => {
  edge('edge-0.a')
  const found = find()
  answer('stranger.a')
  answer('edge-0.a', 'first', 'another question')
  answer('edge-0.a', 'edge-0')
  expect(await found).toMatchObject({ value: { edges: [{ edge: 'edge-0' }], silent: [] } })
})

it('without an edge there is no answer, at once', async () => {
  expect(await find()).toEqual({ outcome: 'done', value: { edges: [], silent: [] } })
})

it('a bounded number of questions is open', async () => {
  edge('edge-0.a')
  const open = Array.from({ length: 64 }, find)
  expect(await find()).toMatchObject({ outcome: 'refused', refusal: { code: 'too_many_questions' } })
  await vi.advanceTimersByTimeAsync(2_000)
  expect(await Promise.all(open)).toHaveLength(64)
  const next = find()
  answer('edge-0.a')
  expect(await next).toMatchObject({ outcome: 'done' })
})

it.each(['', 'two words', 'line\r\nend', 'x'.repeat(256)])('%j is no Call-ID', async (callId) => {
  edge('edge-0.a')
  expect(await traceCall(context, { callId })).toMatchObject({ outcome: 'refused', refusal: { code: 'bad_call_id' } })
  expect(commands.get('edge-0.a')).toEqual([])
})

const FILTER: policy.MessageFilter = { callId: '', source: '', user: 'alice', targets: ['log'], forMs: 600_000 }
const set = (more: Partial<policy.MessageFilter>) => setMessageFilter(context, { filter: { ...FILTER, ...more } })

it.each<[string, Partial<policy.MessageFilter>]>([
  ['all messages', { user: '' }],
  ['no time', { forMs: 0 }],
  ['more than a day', { forMs: 86_400_001 }],
  ['no target', { targets: [] }],
  ['an unknown target', { targets: ['log', 'mail'] }],
  ['a name for a source', { source: 'example.test' }],
  ['a network that is none', { source: '192.0.2.0/33' }],
  ['a user of two lines', { user: 'a\r\nb' }],
  ['a Call-ID with a space', { callId: 'a b' }],
])('a filter of %s is refused', async (_what, more) => {
  edge('edge-0.a')
  expect(await set(more)).toMatchObject({ outcome: 'refused', refusal: { code: 'bad_filter' } })
  expect(commands.get('edge-0.a')).toEqual([])
})

it('filters are set, listed and cleared at every edge', async () => {
  edge('edge-0.a')
  const wishes = [
    () => set({ source: '2001:db8::/32', targets: ['log', 'hep'] }),
    () => listMessageFilters(context),
    () => clearMessageFilters(context),
  ]
  for (const [k, $case] of ['setFilter', 'listFilters', 'clearFilters'].entries()) {
    const done = wishes[k]?.()
    expect(last('edge-0.a').wish?.$case).toBe($case)
    answer('edge-0.a')
    expect(await done).toMatchObject({ outcome: 'done' })
  }
  expect(await setMessageFilter(context, { filter: undefined })).toMatchObject({ outcome: 'refused' })
})

const told = (peer: string) =>
  commands.get(peer)?.flatMap(({ wish }) => (wish?.$case === 'setFilter' ? [wish.value] : [])) ?? []

it('edges that connect are told of the filters that the others have, once; those are asked once', async () => {
  const bugs: unknown[] = []
  const greeting = new FilterGreeting(pushes, questions, (error) => bugs.push(error))
  for (const peer of ['edge-0.a', 'edge-1.a', 'edge-2.b', 'edge-3.b']) edge(peer)
  for (const peer of ['edge-2.b', 'edge-3.b']) greeting.greet(peer)
  await vi.advanceTimersByTimeAsync(500)
  const mirrored = { ...FILTER, targets: ['hep', 'log'] }
  for (const [peer, filters] of Object.entries({
    'edge-0.a': [FILTER, mirrored],
    'edge-1.a': [{ ...mirrored, targets: ['log', 'hep'], forMs: 599_000 }],
  })) {
    expect(commands.get(peer)?.map(({ wish }) => wish?.$case)).toEqual(['listFilters'])
    questions.captured(policy.CapturedRequest.fromPartial({ ...last(peer), edge: peer, filters }), peer)
  }
  await vi.advanceTimersByTimeAsync(0)
  for (const peer of ['edge-2.b', 'edge-3.b']) expect(told(peer).map(({ targets }) => targets.length)).toEqual([1, 2])
  for (const { commandId } of commands.get('edge-2.b') ?? []) answer('edge-2.b', 'edge-2', commandId)
  await vi.advanceTimersByTimeAsync(2_500) // edge-3 is warming up, and says nothing
  for (const peer of ['edge-0.a', 'edge-1.a', 'edge-2.b']) {
    const filters = peer === 'edge-1.a' ? [] : [FILTER]
    questions.captured(policy.CapturedRequest.fromPartial({ ...last(peer), edge: peer, filters }), peer)
  }
  await vi.advanceTimersByTimeAsync(0)
  expect([told('edge-2.b').length, told('edge-3.b').length]).toEqual([2, 3])
  expect([told('edge-0.a'), told('edge-1.a'), bugs]).toEqual([[], [], []])
  await vi.advanceTimersByTimeAsync(60_000)
  expect(told('edge-3.b').length).toBeLessThan(12)
})

it('an edge alone is told nothing, and nobody is asked', async () => {
  const greeting = new FilterGreeting(pushes, questions, () => undefined)
  edge('edge-0.a')
  greeting.greet('edge-0.a')
  await vi.advanceTimersByTimeAsync(5_000)
  expect(commands.get('edge-0.a')).toEqual([])
})

it('edges that connect while too many questions are open are told later', async () => {
  const greeting = new FilterGreeting(pushes, questions, () => undefined)
  edge('edge-0.a')
  const open = Array.from({ length: 64 }, find)
  await vi.advanceTimersByTimeAsync(1_000)
  edge('edge-1.b')
  greeting.greet('edge-1.b')
  await vi.advanceTimersByTimeAsync(600)
  expect(last('edge-0.a').wish?.$case).toBe('find')
  await vi.advanceTimersByTimeAsync(1_000)
  await Promise.all(open)
  expect(last('edge-0.a').wish?.$case).toBe('listFilters')
})
