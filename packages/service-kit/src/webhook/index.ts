// SPDX-License-Identifier: MIT
//
// Signed webhooks, at least once by key.
export { type DeliverOptions, type Delivery, deliver } from './deliver.ts'
export { outcomeOf, parseRetryAfter, type WebhookOutcome } from './outcome.ts'
export { RetryPause, type RetrySettings } from './retry-pause.ts'
export { type WebhookMessage, WebhookSender, type WebhookSettings } from './sender.ts'
export { SIGNATURE_HEADER, SIGNATURE_TOLERANCE_S, signWebhook, verifyWebhook } from './signature.ts'
