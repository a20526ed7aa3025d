// SPDX-License-Identifier: MIT
//
// A NAT on the in-memory network, between phones with private addresses and everybody else (RFC 4787's words): each private place gets a
// port of the public address, one for all far places (`portRestricted`) or one for each (`symmetric`); only places that the phone
// has sent to get in; a mapping that nothing keeps open is forgotten, and the next packet gets another port.
// Leaves out hairpinning and filters that let more in.
import type { FakeClock, InMemoryNetwork, MemoryEndpoint, MemorySink } from '@tandem/test-kit'
import type { PhoneEndpoint, PhoneNetwork } from './phone.ts'

export interface NatOptions {
  readonly kind: 'portRestricted' | 'symmetric'
  /** Which packets keep a mapping open [RFC4787-4.3]: most boxes take either direction, some what the phone sends alone. */
  readonly keptBy?: 'both' | 'outbound'
  /** 30 s where absent. */
  readonly lifeMs?: number
}

interface Mapping {
  readonly outside: MemoryEndpoint
  /** Far places that may send, by when they were last sent to. */
  readonly allowed: Set<string>
  usedMs: number
}

export class NatBox implements PhoneNetwork {
  /** Packets from outside that found no way in. */
  refused = 0
  readonly #network: InMemoryNetwork
  readonly #clock: FakeClock
  readonly #address: string
  readonly #options: NatOptions
  readonly #mappings = new Map<string, Mapping>()

  /** @param address what the world sees */
  constructor(network: InMemoryNetwork, clock: FakeClock, address: string, options: NatOptions) {
    this.#network = network
    this.#clock = clock
    this.#address = address
    this.#options = options
  }

  /** Public ports in use, oldest first. */
  get ports(): number[] {
    return [...this.#mappings.values()].filter((mapping) => this.#isAlive(mapping)).map(({ outside }) => outside.port)
  }

  endpoint(address: string, port: number, sink: MemorySink['onDatagram']): PhoneEndpoint {
    const inside = `${address}:${port}`
    const use = (toAddress: string, toPort: number): MemoryEndpoint => {
      const far = `${toAddress}:${toPort}`
      const mapping = this.#mappingOf(inside, far, sink)
      mapping.usedMs = this.#clock.now()
      mapping.allowed.add(far)
      return mapping.outside
    }
    return {
      send: (buf, start, end, toPort, to) => use(to, toPort).send(buf, start, end, toPort, to),
      sendText: (text, toPort, to) => use(to, toPort).sendText(text, toPort, to),
    }
  }

  /** As a reboot does. */
  forgetAll(): void {
    for (const [key, mapping] of this.#mappings) this.#drop(key, mapping)
  }

  #mappingOf(inside: string, far: string, sink: MemorySink['onDatagram']): Mapping {
    const key = this.#options.kind === 'symmetric' ? `${inside} ${far}` : inside
    const known = this.#mappings.get(key)
    if (known !== undefined && this.#isAlive(known)) return known
    if (known !== undefined) this.#drop(key, known)
    const mapping: Mapping = {
      outside: this.#network.endpoint(this.#address, 0, (buf, start, end, address, port, listener) => {
        if (this.#letsIn(mapping, `${address}:${port}`)) sink(buf, start, end, address, port, listener)
        else this.refused += 1
      }),
      allowed: new Set(),
      usedMs: this.#clock.now(),
    }
    this.#mappings.set(key, mapping)
    return mapping
  }

  #letsIn(mapping: Mapping, far: string): boolean {
    if (!this.#isAlive(mapping) || !mapping.allowed.has(far)) return false
    if (this.#options.keptBy !== 'outbound') mapping.usedMs = this.#clock.now()
    return true
  }

  #isAlive({ usedMs }: Mapping): boolean {
    return this.#clock.now() - usedMs <= (this.#options.lifeMs ?? 30_000)
  }

  #drop(key: string, { outside }: Mapping): void {
    this.#mappings.delete(key)
    this.#network.remove(outside)
  }
}
