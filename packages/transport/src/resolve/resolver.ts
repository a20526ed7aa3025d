// SPDX-License-Identifier: MIT
// What RFC 3263 needs of DNS. A method resolves to an empty list where the name or the type does not exist, and rejects only where
// the question could not be answered.

export interface NaptrRecord {
  readonly order: number
  readonly preference: number
  readonly flags: string
  readonly service: string
  readonly regexp: string
  readonly replacement: string
}

export interface SrvRecord {
  readonly name: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

export interface AddressRecord {
  readonly address: string
  /** Seconds. */
  readonly ttl: number
}

export interface DnsResolver {
  naptr(name: string): Promise<readonly NaptrRecord[]>
  srv(name: string): Promise<readonly SrvRecord[]>
  a(name: string): Promise<readonly AddressRecord[]>
  aaaa(name: string): Promise<readonly AddressRecord[]>
}
