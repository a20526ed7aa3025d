// SPDX-License-Identifier: MIT
//
// A trace goes with a request over every binding: the caller's span, the service's below it with the handler's use of it, how both end;
// and what is said of failed calls. Not tested here: what spans are made of (packages/telemetry).
import type { CallOutcome, ServerTracer, TraceScope } from '@tandem/telemetry'
import { afterEach, describe, expect, it } from 'vitest'
import type { Caller, HandlerContext } from './caller.ts'
import { deferred, located, locateRequest, plainHandlers, whenReady } from './contract-kit.ts'
import { createInProcess } from './in-process.ts'
import { refused } from './result.ts'
import { createRpcServer } from './rpc-server.ts'
import { serveLocation } from './serve.ts'
import { locationService } from './service.ts'
import { createStreamCaller } from './stream-caller.ts'
import { createUnaryCaller } from './unary-caller.ts'

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const SERVICE = 'tandem.location.v1.LocationService'
const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** Writes down what it is told. */
class Notes implements ServerTracer, TraceScope {
  readonly lines: string[] = []
  readonly kept = deferred<string>()

  client(service: string, method: string) {
    this.lines.push(`client ${service}/${method}`)
    return { traceparent: TRACEPARENT, end: (result: CallOutcome) => this.end('client', result) }
  }

  server(service: string, method: string, traceparent: string, peer: string) {
    this.lines.push(`server ${service}/${method} ${traceparent} ${peer}`)
    const watch = <T extends object>(target: T): T => target
    return { traceId: traceparent, watch, end: (result: CallOutcome) => this.end('server', result) }
  }

  keep(traceIds: string): void {
    this.kept.resolve(traceIds)
  }

  end(side: string, { outcome, refusal }: CallOutcome): void {
    this.lines.push(`${side} ended: ${outcome} ${refusal?.code ?? ''}`.trim())
  }
}

const handlersOf = (seen: (context: HandlerContext) => void) =>
  plainHandlers({
    locate: ({ aor }, context) => {
      seen(context)
      return aor === 'sip:a@x' ? located(aor) : refused('nobody', 404, '')
    },
  })

type Locating = Pick<
  Caller<{ locate: { request: ReturnType<typeof locateRequest>; response: unknown } }>,
  'invoke' | 'call'
>
type Binding = (handlers: ReturnType<typeof handlersOf>, tracer?: ServerTracer) => Promise<Caller<never>>

async function serve(handlers: ReturnType<typeof handlersOf>, tracer?: ServerTracer): Promise<string> {
  const server = createRpcServer()
  serveLocation(server, handlers, { tracer })
  const port = await server.listen('127.0.0.1', 0)
  closers.push(() => server.close(0))
  return `127.0.0.1:${port}`
}

async function closing<C extends Caller<never, never>>(caller: unknown): Promise<C> {
  const opened = caller as C
  closers.push(() => opened.close())
  await whenReady(opened as never)
  return opened
}

const BINDINGS: Readonly<Record<string, Binding>> = {
  'in process': (handlers, tracer) => closing(createInProcess(locationService, handlers, { tracer, peer: 'edge-1.a' })),
  'in process, encoded': (handlers, tracer) =>
    closing(createInProcess(locationService, handlers, { tracer, peer: 'edge-1.a', encoded: true })),
  stream: async (handlers, tracer) =>
    closing(createStreamCaller(locationService, [await serve(handlers, tracer)], { peer: 'edge-1.a' })),
  unary: async (handlers, tracer) =>
    closing(createUnaryCaller(locationService, await serve(handlers, tracer), { peer: 'edge-1.a' })),
}

function ask(caller: Caller<never>, aor: string, trace?: TraceScope): Promise<CallOutcome> {
  const { call } = caller as unknown as Locating
  return new Promise((resolve) =>
    call.call(caller as never, 'locate', locateRequest(aor), 5_000, (result) => resolve(result as CallOutcome), trace),
  )
}

describe.each(Object.entries(BINDINGS))('a trace, %s', (_name, bind) => {
  it("makes the caller's span and the service's, and ends both", async () => {
    const notes = new Notes()
    const spans: unknown[] = []
    const caller = await bind(
      handlersOf(({ span }) => spans.push(span?.traceId)),
      notes,
    )
    await ask(caller, 'sip:a@x', notes)
    const began = [`client ${SERVICE}/locate`, `server ${SERVICE}/locate ${TRACEPARENT} edge-1.a`]
    expect(notes.lines).toEqual([...began, 'server ended: done', 'client ended: done'])
    expect(spans).toEqual([TRACEPARENT])
    notes.lines.length = 0
    await ask(caller, 'sip:b@x', notes)
    expect(notes.lines.slice(2)).toEqual(['server ended: refused nobody', 'client ended: refused nobody'])
  })

  it('leaves the service alone where nobody traces', async () => {
    const notes = new Notes()
    const spans: unknown[] = []
    const caller = await bind(
      handlersOf(({ span }) => spans.push(span)),
      notes,
    )
    await ask(caller, 'sip:a@x')
    expect([notes.lines, spans]).toEqual([[], [undefined]])
  })

  it('harms no service that does not trace', async () => {
    const notes = new Notes()
    const caller = await bind(handlersOf(() => undefined))
    expect(await ask(caller, 'sip:a@x', notes)).toMatchObject({ outcome: 'done' })
    expect(notes.lines).toEqual([`client ${SERVICE}/locate`, 'client ended: done'])
  })
})

it.each(['in process', 'stream'] as const)('failed calls are told of, %s', async (name) => {
  const notes = new Notes()
  const caller = await (BINDINGS[name] as Binding)(
    handlersOf(() => undefined),
    notes,
  )
  caller.keepTrace?.('0af7651916cd43dd8448eb211c80319c')
  expect(await notes.kept.promise).toBe('0af7651916cd43dd8448eb211c80319c')
})

it('a caller that is closed ends its span', async () => {
  const notes = new Notes()
  const caller = await (BINDINGS.stream as Binding)(handlersOf(() => undefined))
  await caller.close()
  expect(await ask(caller, 'sip:a@x', notes)).toMatchObject({ outcome: 'unknown' })
  expect(notes.lines).toEqual([`client ${SERVICE}/locate`, 'client ended: unknown'])
})
