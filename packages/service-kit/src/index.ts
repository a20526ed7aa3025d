// SPDX-License-Identifier: MIT
//
// What every service has: configuration, logs, metrics, HTTP, start and stop.

export { type CertificateUse, type LoadedCertificates, watchCertificates } from './certificates.ts'
export { type AddressSource, type FoundAddress, findAdvertised, withAdvertised } from './config/advertised.ts'
export { isLoopback, wantsTls } from './config/console-tls.ts'
export { type ConfigSources, loadConfig } from './config/load.ts'
export { type Config, configSchema } from './config/schema.ts'
export {
  type ConsoleConfig,
  consoleConfig,
  type EdgeConfig,
  edgeConfig,
  type KeyRing,
  type LocationConfig,
  locationConfig,
  type PolicyConfig,
  policyConfig,
  type RecordsConfig,
  recordsConfig,
} from './config/views.ts'
export { ConfigError, type ConfigIssue, explainBind, KIT_ERRORS, KitError, type KitErrorCode } from './errors.ts'
export { HistogramFamily, IntHistogram, LONG_SECONDS, SHORT_SECONDS } from './histogram.ts'
export { type HttpHandle, type HttpOptions, type HttpReply, type HttpRoute, startHttp } from './http.ts'
export { KeyRingFollower } from './key-ring-file.ts'
export { keyRingText } from './key-ring-text.ts'
export { Lifecycle, type LifecycleOptions, onSignals, type Part } from './lifecycle.ts'
export { BoundedLines, lineLogger, UserNames } from './log-lines.ts'
export { createLogger, type Logger, type LogLevel, redactUrl } from './logger.ts'
export { type MetricDescription, unitOf } from './metric-names.ts'
export { type HistogramSeries, type Labelled, type LabelledField, Metrics, type Series, snakeCase } from './metrics.ts'
export { gatedOnce } from './readiness.ts'
export { sourceKeyOf } from './source-key.ts'
export {
  type DeliverOptions,
  type Delivery,
  deliver,
  outcomeOf,
  parseRetryAfter,
  RetryPause,
  type RetrySettings,
  SIGNATURE_HEADER,
  SIGNATURE_TOLERANCE_S,
  signWebhook,
  verifyWebhook,
  type WebhookMessage,
  type WebhookOutcome,
  WebhookSender,
  type WebhookSettings,
} from './webhook/index.ts'
