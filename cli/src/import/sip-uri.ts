// SPDX-License-Identifier: MIT
//
// Addresses as other systems write them: `sip:host:port;transport=tcp`, `udp:host:port`, `host:port`, `[IPv6]:port`.

export interface HostSpec {
  readonly host: string
  readonly port?: number
  readonly transport?: 'udp' | 'tcp' | 'tls'
}

const SHAPE =
  /^(?:(sips?|udp|tcp|tls):(?:\/\/)?)?(?:[^@\s]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::(\d{1,5}))?((?:;[^\s;]+)*)$/i

/** undefined for what is none, or asks for a transport that trunks do not have. */
export function hostFrom(text: string): HostSpec | undefined {
  const [, scheme = '', host, port, params = ''] = SHAPE.exec(text.trim()) ?? []
  if (host === undefined) return undefined
  const wanted =
    /;transport=([a-z]+)/i.exec(params)?.[1]?.toLowerCase() ??
    (scheme.toLowerCase() === 'sips' ? 'tls' : scheme.toLowerCase())
  const transport = wanted === '' || wanted === 'sip' ? undefined : wanted
  if (transport !== undefined && transport !== 'udp' && transport !== 'tcp' && transport !== 'tls') return undefined
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return undefined
  return {
    host: host.toLowerCase(),
    ...(port !== undefined && { port: Number(port) }),
    ...(transport !== undefined && { transport }),
  }
}
