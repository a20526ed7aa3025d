// SPDX-License-Identifier: MIT
//
// A service's HTTP listener as a part.
import { type HttpHandle, type HttpOptions, type Part, startHttp } from '@tandem/service-kit'

export function httpPart(name: string, options: HttpOptions): Part {
  let handle: HttpHandle | undefined
  const start = async () => {
    handle = await startHttp(options)
  }
  return { name: `${name} HTTP`, start, stop: () => handle?.close() }
}
