// SPDX-License-Identifier: MIT
//
// What an item costs by binding, by calls in flight and at a steady 2,000 a second: items per second, CPU of caller and of
// service. The service is a process of its own, so its CPU is its own. Prints the table of docs/rpc.md.
// Run: node --conditions=@tandem/source packages/rpc/bench/items.ts [seconds per row]
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { PolicyMethods } from '@tandem/rpc'
import { type Caller, createInProcess, createStreamCaller, createUnaryCaller, policyService } from '@tandem/rpc'
import { handlers, request } from './service.ts'

const SECONDS = Number(process.argv[2] ?? 2)
const WARM_UP_MS = 500
const STEADY_PER_MS = 2

type BenchCaller = Omit<Caller<PolicyMethods, unknown>, 'onPush'>

interface Bench {
  name: string
  caller: BenchCaller
  remote: boolean
}

const child = fork(new URL('./service.ts', import.meta.url), { execArgv: ['--conditions=@tandem/source'] })

async function message<T>(from: ChildProcess): Promise<T> {
  const [value] = await once(from, 'message')
  return value as T
}

async function serviceCpuUs(): Promise<number> {
  child.send('cpu')
  const { cpu } = await message<{ cpu: NodeJS.CpuUsage }>(child)
  return cpu.user + cpu.system
}

function callerCpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Keeps `inFlight` calls going for so long; resolves to how many ended well. */
function closedLoop(caller: BenchCaller, inFlight: number, ms: number): Promise<number> {
  const end = performance.now() + ms
  let ended = 0
  let open = inFlight
  return new Promise((resolve) => {
    const ask = () =>
      caller.call('decide', request, 5_000, (result) => {
        if (result.outcome === 'done') ended++
        if (performance.now() < end) setImmediateEvery(ask)
        else if (--open === 0) resolve(ended)
      })
    for (let i = 0; i < inFlight; i++) ask()
  })
}

let turns = 0
/** The in-process binding would run in microtasks for ever: every 64th call goes through the event loop. */
function setImmediateEvery(run: () => void): void {
  if (++turns % 64 === 0) setImmediate(run)
  else run()
}

function steady(caller: BenchCaller, ms: number): Promise<number> {
  const began = performance.now()
  let sent = 0
  let ended = 0
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(performance.now() - began, ms) * STEADY_PER_MS
      for (; sent < due; sent++) {
        caller.call('decide', request, 5_000, () => {
          if (++ended === ms * STEADY_PER_MS) {
            clearInterval(timer)
            resolve(ended)
          }
        })
      }
    }, 1)
  })
}

async function row(bench: Bench, label: string, run: (ms: number) => Promise<number>): Promise<void> {
  await run(WARM_UP_MS)
  const { items: itemsBefore, batches: batchesBefore } = bench.caller.counts
  const [caller, service, began] = [callerCpuUs(), await serviceCpuUs(), performance.now()]
  const items = await run(SECONDS * 1000)
  const ms = performance.now() - began
  const callerUs = (callerCpuUs() - caller) / items
  const serviceUs = bench.remote ? (((await serviceCpuUs()) - service) / items).toFixed(1) : '–'
  const { counts } = bench.caller
  const perMessage = ((counts.items - itemsBefore) / (counts.batches - batchesBefore)).toFixed(1)
  const perSecond = Math.round((items / ms) * 1000).toLocaleString('en')
  process.stdout.write(
    `| ${bench.name} | ${label} | ${perMessage} | ${perSecond} | ${callerUs.toFixed(1)} | ${serviceUs} |\n`,
  )
}

const { port } = await message<{ port: number }>(child)
const address = `127.0.0.1:${port}`
const peer = 'bench'
const benches: Bench[] = [
  { name: 'in process', caller: createInProcess(policyService, handlers), remote: false },
  { name: 'in process, encoded', caller: createInProcess(policyService, handlers, { encoded: true }), remote: false },
  {
    name: 'stream, one item a message',
    caller: createStreamCaller(policyService, [address], { peer, maxBatchItems: 1, batchWindowMs: 0 }),
    remote: true,
  },
  { name: 'stream, batched', caller: createStreamCaller(policyService, [address], { peer }), remote: true },
  { name: 'unary', caller: createUnaryCaller(policyService, address, { peer }), remote: true },
]

process.stdout.write(
  '| binding | in flight | items a message | items/s | caller µs CPU/item | service µs CPU/item |\n|---|---|---|---|---|---|\n',
)
for (const bench of benches) {
  for (const inFlight of [1, 10, 1000]) {
    await row(bench, String(inFlight), (ms) => closedLoop(bench.caller, inFlight, ms))
  }
  await row(bench, '2,000/s', (ms) => steady(bench.caller, ms))
  await bench.caller.close()
}
child.disconnect()
