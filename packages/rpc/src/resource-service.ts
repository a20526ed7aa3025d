// SPDX-License-Identifier: MIT
//
// The service of resources: unary methods, and Apply, whose documents come in parts. What both bindings and the server share.
import type { HandlerContext, Handlers } from './caller.ts'
import type {
  ApplyOptions,
  ApplyResponse,
  ResourceServiceService,
  SourcePart,
} from './gen/tandem/resources/v1/resources.ts'
import type { UnaryMethodsOf } from './method-map.ts'
import type { Result } from './result.ts'

/** get, list, delete, export, listHistory, rollback, getHead */
export type ResourceUnaryMethods = UnaryMethodsOf<typeof ResourceServiceService>

/** One text of documents. */
export interface ResourceText {
  readonly file: string
  readonly text: string
}

export type ResourceHandlers = Handlers<ResourceUnaryMethods> & {
  apply(
    request: { readonly options: ApplyOptions; readonly sources: readonly ResourceText[] },
    context: HandlerContext,
  ): Promise<Result<ApplyResponse>>
}

export type SourceParts = AsyncIterable<SourcePart> | Iterable<SourcePart>

/** The service as it is called. Nothing rejects. */
export type ResourceCaller = {
  [K in keyof ResourceUnaryMethods & string]: (
    request: ResourceUnaryMethods[K]['request'],
    timeoutMs?: number,
  ) => Promise<Result<ResourceUnaryMethods[K]['response']>>
} & {
  /** Parts in a row with the same name are one text. */
  apply(options: ApplyOptions, sources: SourceParts, timeoutMs?: number): Promise<Result<ApplyResponse>>
  close(): Promise<void>
}

export const RESOURCE_METHODS = ['get', 'list', 'delete', 'export', 'listHistory', 'rollback', 'getHead'] as const

/** Stop a client that fills this process's memory. */
export const APPLY_BOUNDS = { bytes: 64 * 1024 * 1024, partBytes: 3 * 1024 * 1024, files: 10_000, atOnce: 4 } as const
export const APPLY_MS = 120_000
export const ASK_MS = 10_000

/** Joins parts to texts. Bounded by `APPLY_BOUNDS`. */
export class SourceJoiner {
  readonly #texts: { readonly file: string; readonly parts: Uint8Array[] }[] = []
  #bytes = 0

  /** What is too much, as a sentence; undefined: it was taken. */
  add({ file, text }: SourcePart): string | undefined {
    this.#bytes += text.length
    if (this.#bytes > APPLY_BOUNDS.bytes) return `expected at most ${APPLY_BOUNDS.bytes} bytes of documents`
    const last = this.#texts.at(-1)
    if (last?.file === file) last.parts.push(text)
    else this.#texts.push({ file, parts: [text] })
    return this.#texts.length > APPLY_BOUNDS.files ? `expected at most ${APPLY_BOUNDS.files} files` : undefined
  }

  texts(): ResourceText[] {
    return this.#texts.map(({ file, parts }) => ({ file, text: Buffer.concat(parts).toString('utf8') }))
  }
}
