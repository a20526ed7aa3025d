// SPDX-License-Identifier: MIT
//
// The methods of each service as types, derived from the generated code: a method of a stream is a case of the oneof in
// Item and ItemResult, a unary method is an entry of the generated service definition. Nothing is listed twice.
import type * as location from './gen/tandem/location/v1/location.ts'
import type * as policy from './gen/tandem/policy/v1/policy.ts'

export interface Method {
  request: unknown
  response: unknown
}

export type MethodMap = Record<string, Method>

/** The name of a method as a string. */
export type MethodName<M extends MethodMap> = keyof M & string

interface OneOf {
  $case: string
  value: unknown
}

/** Pairs the request and the response that share a case name. */
export type MethodsOf<Request extends OneOf, Response extends OneOf> = {
  [C in Request['$case'] & Response['$case']]: {
    request: Extract<Request, { $case: C }>['value']
    response: Extract<Response, { $case: C }>['value']
  }
}

/** The unary methods of a generated service definition. */
export type UnaryMethodsOf<S> = {
  [K in keyof S & string as S[K] extends { requestStream: false; responseStream: false } ? K : never]: S[K] extends {
    requestSerialize: (value: infer Request) => Buffer
    responseSerialize: (value: infer Response) => Buffer
  }
    ? { request: Request; response: Response }
    : never
}

/** register, locate, beginCall, updateCall, endCall, leaseEdge, leaveEdge, subscribe, notifyDone, readCall, adoptCall, listOwned */
export type LocationMethods = MethodsOf<
  NonNullable<location.Item['request']>,
  NonNullable<location.ItemResult['response']>
>

/** decide, report, trunkAttempt, answerChallenge, sent */
export type PolicyMethods = MethodsOf<NonNullable<policy.Item['request']>, NonNullable<policy.ItemResult['response']>>

/** locate, listEdges */
export type LocationUnaryMethods = UnaryMethodsOf<location.LocationServiceService>

/** decide, authorize, report, requestHangUp, listCalls, getAccount, topUp */
export type PolicyUnaryMethods = UnaryMethodsOf<policy.PolicyServiceService>
