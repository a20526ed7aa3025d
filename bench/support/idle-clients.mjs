// SPDX-License-Identifier: MIT
//
// A process that holds many connections to a proxy: opens them from several source addresses, registers each with a flow of its own
// where that is asked for, pings each every so often (RFC 5626), and passes a request and its answer on a sample when it is told to.
// Driven by its parent over IPC; it ends with it. One process has as many files as `ulimit -n` allows.
import { setTimeout as sleep } from 'node:timers/promises'
import { message, Phone, token } from './phones.mjs'

const [plan] = process.argv.slice(2).map((text) => JSON.parse(text))
const phones = []
let failed = 0

const addressOf = (k) => `127.0.${1 + plan.group}.${1 + (k % plan.addresses)}`

/** [RFC5626-4.2] One instance with one flow for each connection. */
async function register(phone, k) {
  const instance = `<urn:uuid:00000000-0000-4000-8000-${String(plan.group * 1e6 + k).padStart(12, '0')}>`
  const contact = `${phone.contact};reg-id=1;+sip.instance="${instance}";expires=3600`
  await phone.register(contact, ['Supported: outbound, path'])
}

async function openOne(k) {
  const { transport, port, ca } = plan
  const tls = { ca, servername: 'localhost', maxVersion: plan.maxVersion, ecdhCurve: plan.curves }
  const user = plan.users[k % plan.users.length]
  const phone = await Phone.open({ user, transport, port, localAddress: addressOf(k), tls })
  if (plan.registers) await register(phone, k)
  phones.push(phone)
}

/** A few at a time, each worker one after the other. */
async function openAll() {
  let next = 0
  const worker = async () => {
    while (next < plan.count) {
      await openOne(next++).catch((error) => {
        failed++
        if (failed === 1) console.error(error.message)
      })
    }
  }
  await Promise.all(Array.from({ length: plan.parallel }, worker))
}

/** Each phone once in a period, evenly over it. */
async function keepAlive() {
  const slots = Math.min(phones.length, plan.pingS * 10)
  for (let slot = 0; ; slot = (slot + 1) % slots) {
    for (let k = slot; k < phones.length; k += slots) if (!phones[k].isClosed) phones[k].ping()
    await sleep((plan.pingS * 1_000) / slots)
  }
}

async function optionsOn(phone) {
  const uri = `sip:127.0.0.1:${plan.port};transport=${plan.transport}`
  const from = `From: <sip:${phone.user}@127.0.0.1>;tag=${token()}`
  const head = [phone.via, 'Max-Forwards: 70', from, `To: <${uri}>`, `Call-ID: ${token()}`, 'CSeq: 1 OPTIONS']
  const answer = await phone.ask(message(`OPTIONS ${uri} SIP/2.0`, head))
  return answer.startsWith('SIP/2.0 200')
}

async function sample(size) {
  const step = Math.max(1, Math.floor(phones.length / size))
  const chosen = phones.filter((_, k) => k % step === 0).slice(0, size)
  const answers = await Promise.all(chosen.map((phone) => optionsOn(phone).catch(() => false)))
  return { asked: chosen.length, answered: answers.filter(Boolean).length }
}

process.on('disconnect', () => process.exit())
process.on('message', async ({ ask }) => {
  if (ask === 'state') {
    const open = phones.filter((phone) => !phone.isClosed).length
    process.send({ open, failed, pongs: phones.reduce((sum, phone) => sum + phone.pongs, 0) })
  } else process.send(await sample(ask))
})
await openAll()
process.send({ opened: phones.length })
if (plan.pingS > 0) void keepAlive()
