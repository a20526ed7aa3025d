// SPDX-License-Identifier: MIT
//
// Edges behind one address, and phones whose datagrams go to the edge that the test names. What a phone sees is counted as text: a callee
// that is called twice would see two INVITEs of different branches, or a call that it has ended.
import type { ResourceSource } from '@tandem/resources'
import type { CallRecord } from '@tandem/store'
import { headerValues, startLine } from '@tandem/test-kit'
import { MemoryPhone } from '../../support/phone.ts'
import { SHARED_ADDRESS, SharedCluster } from '../../support/shared-cluster.ts'

const resource = (kind: string, metadata: object, spec: object = {}): ResourceSource => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})

/** Every call leaves a record; contacts of one user ring one after another, 20 s each. */
export const SERIAL_DOMAIN: readonly ResourceSource[] = [
  resource(
    'Domain',
    { name: 'tandem.test' },
    {
      accounting: true,
      anonymous: 'allow',
      authentication: 'none',
      identity: 'off',
      alsoBindAddress: true,
      forking: 'serial',
      ringMs: 20_000,
    },
  ),
  ...['alice', 'bob'].map((name) => resource('Subscriber', { name, domain: 'tandem.test' })),
]

const ENDS = { from: '<sip:alice@tandem.test>;tag=a', to: '<sip:bob@tandem.test>', callId: 'c1' }

export class World {
  readonly cluster: SharedCluster
  readonly alice: MemoryPhone
  readonly bob: MemoryPhone
  /** Another phone of bob's, with the lower q. */
  readonly bobTwo: MemoryPhone
  /** Which edge gets what a phone sends, by its address. */
  readonly edgeOf = new Map<string, number>()
  /** The INVITE as alice sends it each time. */
  readonly invite: string

  private constructor(cluster: SharedCluster) {
    this.cluster = cluster
    cluster.steer = (_text, address) => this.edgeOf.get(address) ?? 0
    const phone = (name: string, address: string): MemoryPhone =>
      new MemoryPhone(cluster.network, name, address, 5060, { address: SHARED_ADDRESS, port: 5060 })
    this.alice = phone('alice', '192.0.2.20')
    this.bob = phone('bob', '192.0.2.30')
    this.bobTwo = phone('bob', '192.0.2.31')
    this.invite = this.alice.request('INVITE', { ...ENDS, uri: 'sip:bob@tandem.test', contact: this.alice.contact })
  }

  static async create(edgeCount = 3, both = false): Promise<World> {
    const world = new World(await SharedCluster.create({ edgeCount, resources: SERIAL_DOMAIN }))
    await world.register(world.bob, '1.0')
    if (both) await world.register(world.bobTwo, '0.5')
    return world
  }

  async register(phone: MemoryPhone, q: string): Promise<void> {
    const address = '<sip:bob@tandem.test>'
    const parts = { uri: 'sip:tandem.test', to: address, from: `${address};tag=r`, contact: `${phone.contact};q=${q}` }
    phone.send(phone.request('REGISTER', parts))
    await this.cluster.settle()
  }

  /** From now on these phones' datagrams go to this edge. */
  steer(edge: number, ...phones: readonly MemoryPhone[]): void {
    for (const phone of phones) this.edgeOf.set(phone.host, edge)
  }

  async call(): Promise<void> {
    await this.send(this.alice, this.invite)
  }

  async send(phone: MemoryPhone, text: string): Promise<void> {
    phone.send(text)
    await this.cluster.settle()
  }

  /** Answers the phone's last INVITE. */
  async answer(phone: MemoryPhone, status: number): Promise<void> {
    phone.answer(this.inviteAt(phone), status)
    await this.cluster.settle()
  }

  inviteAt(phone: MemoryPhone): string {
    return phone.inbox.findLast((text) => text.startsWith('INVITE ')) ?? 'nobody called'
  }

  async cancel(): Promise<void> {
    const cancel = this.invite.replace(/^INVITE/, 'CANCEL').replace('1 INVITE', '1 CANCEL')
    await this.send(this.alice, cancel.replace(/Contact: .*\r\n/, ''))
  }

  /** The ACK of the failure that alice has got last. */
  async acknowledgeFailure(): Promise<void> {
    const to = headerValues(this.alice.last(), 'to')[0] ?? '<sip:bob@tandem.test>;tag=nobody'
    const ack = this.invite.replace(/^INVITE/, 'ACK').replace('1 INVITE', '1 ACK')
    await this.send(this.alice, ack.replace(/Contact: .*\r\n/, '').replace(/To: .*/, `To: ${to}`))
  }

  /** The ACK of the answer. */
  async acknowledge(): Promise<void> {
    await this.inDialog('ACK', 1)
  }

  async inDialog(method: string, cseq: number): Promise<void> {
    const isAnswer = (text: string): boolean => text.startsWith('SIP/2.0 200') && text.includes('CSeq: 1 INVITE')
    const ok = this.alice.inbox.find(isAnswer) ?? ''
    const parts = {
      ...ENDS,
      to: headerValues(ok, 'to')[0] ?? '',
      uri: headerValues(ok, 'contact')[0]?.slice(1, -1) ?? '',
    }
    await this.send(this.alice, this.alice.request(method, { ...parts, cseq, headers: this.alice.routesOf(ok, true) }))
  }

  /** Talks for three seconds and hangs up; what alice saw at last. */
  async finish(callee = this.bob): Promise<string> {
    await this.acknowledge()
    await this.cluster.advance(3_000)
    await this.inDialog('BYE', 2)
    callee.answer(callee.last(), 200)
    await this.cluster.settle()
    return startLine(this.alice.last())
  }

  /** Status codes that alice got for her INVITE. */
  seen(): string[] {
    return this.alice.inbox
      .filter((text) => text.startsWith('SIP/2.0 ') && (headerValues(text, 'cseq')[0] ?? '').endsWith('INVITE'))
      .map((text) => text.slice(8, 11))
  }

  /** Methods that a phone was sent. */
  asked(phone: MemoryPhone): string[] {
    return phone.inbox.filter((text) => !text.startsWith('SIP/2.0 ')).map((text) => text.slice(0, text.indexOf(' ')))
  }

  /** How many different calls a phone has seen. */
  callsAt(phone: MemoryPhone): number {
    const invites = phone.inbox.filter((text) => text.startsWith('INVITE '))
    return new Set(invites.map((text) => (headerValues(text, 'via')[0] ?? '').replace(/;te=.*/, ''))).size
  }

  records(): { recordCount: number; callCount: number } {
    const { recordCount = 0, callCount = 0 } = this.cluster.store.counts()
    return { recordCount, callCount }
  }

  /** What was recorded, once. */
  async record(): Promise<CallRecord | undefined> {
    const read = await this.cluster.store.policy.openRecords('test', 'test').read(10)
    if (read.state !== 'stored' || read.value.length > 1) throw new Error(JSON.stringify(read.state))
    return read.value[0]?.record
  }

  counts(edge: number): SharedCluster['edges'][number]['core']['counts'] {
    return this.cluster.edge(edge).core.counts
  }

  /** Until every transaction's timers have run. */
  async linger(): Promise<number[]> {
    await this.cluster.advance(70_000, 500)
    return this.cluster.edges
      .filter(({ life }) => !life.isOver)
      .map(({ core }) => core.layer.serverCount + core.layer.clientCount + core.proxy.inProgress)
  }
}
