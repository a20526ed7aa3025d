// SPDX-License-Identifier: MIT
//
// The context of a request that is traced: the operations of its stores have spans, and what it leaves on record names its trace. All else
// is read from the context that every request shares.
import type { HandlerContext } from '@tandem/rpc'
import type { PolicyContext } from './context.ts'

export function tracedContext(context: PolicyContext, { span }: HandlerContext): PolicyContext {
  if (span === undefined) return context
  return Object.create(context, {
    store: { value: span.watch(context.store, 'store') },
    accounts: { value: span.watch(context.accounts, 'accounts') },
    traceId: { value: span.traceId },
  }) as PolicyContext
}
