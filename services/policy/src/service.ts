// SPDX-License-Identifier: MIT
//
// Composes the handlers over one store and one set of resources. A handler never throws: an exception is a bug, which is
// logged without the request (it carries credentials), counted, and ends the item.
import type { ResourceSet } from '@tandem/resources'
import { PushHub, type policy, type Result } from '@tandem/rpc'
import { LiveKeyRing } from '@tandem/sip'
import { createMemoryStore } from '@tandem/store'
import { addBan, liftBan, listBans } from './bans/admin.ts'
import { BanFeed } from './bans/ban-feed.ts'
import { Bans } from './bans/bans.ts'
import { CallWorker } from './calls/call-work.ts'
import { DueWork } from './calls/due-work.ts'
import { handleHangUp } from './calls/hang-up.ts'
import { listCalls } from './calls/list-calls.ts'
import { RecordFeedServer } from './calls/record-feed.ts'
import { report } from './calls/report.ts'
import { EdgeQuestions } from './capture/ask-edges.ts'
import { FilterGreeting } from './capture/filter-greeting.ts'
import { clearMessageFilters, listMessageFilters, setMessageFilter, traceCall } from './capture/handlers.ts'
import { AccountMarks } from './charging/account-marks.ts'
import { getAccount, topUp, unblockAccount } from './charging/admin.ts'
import { LEASE_MARGIN_MS } from './charging/hold-call.ts'
import type { PolicyContext } from './context.ts'
import { createCounts, type PolicyCounts, registerCounts, registerMoney } from './counts.ts'
import { decide } from './decide/decide.ts'
import { NonceMaker } from './digest/nonce.ts'
import { OneTimeNonces } from './digest/one-time.ts'
import { nonceMemoryMs } from './digest/use-nonce.ts'
import { drainEdge } from './drain-edge.ts'
import { refusal } from './errors.ts'
import { FraudDesk, registerMatches } from './fraud/fraud-desk.ts'
import { NO_PORTS } from './fraud/ports.ts'
import { FraudFeed, type FraudFeedOptions, NO_FEED } from './fraud-feed/fraud-feed.ts'
import { listFraudEvents } from './fraud-feed/list-events.ts'
import { tryFraudRules } from './fraud-feed/try-rules.ts'
import { listGroup, setGroupLogin } from './groups/logins.ts'
import { IssuerKeys } from './jwt/issuer-keys.ts'
import { createLedgerCopy } from './ledger/ledger-copy.ts'
import { restoreLedger } from './ledger/restore.ts'
import { POLICY_TUNING, type PolicyService, type PolicyServiceOptions } from './options.ts'
import { ResourceDesk } from './resources/resource-desk.ts'
import { registerResources } from './resources/resource-metrics.ts'
import { routeTest } from './routing/route-test.ts'
import { registerSamples, Samples } from './samples.ts'
import { createState, type PolicyState } from './state.ts'
import { StoreHealth } from './store-health.ts'
import { tracedContext } from './traced-context.ts'
import { answerChallenge, listTrunks, trunkAttempt } from './trunks/handlers.ts'
import { TrunkDesk } from './trunks/trunk-desk.ts'

/** undefined: nobody gave a store for events. */
function createFraudFeed(
  { fraudEvents: store, config, logger, resources }: PolicyServiceOptions,
  shared: Pick<FraudFeedOptions, 'counts' | 'health' | 'onBug' | 'state'>,
): FraudFeed | undefined {
  if (store === undefined) return undefined
  const feed = new FraudFeed({ ...shared, store, logger, geoIpFile: config.geoIpFile ?? '' })
  feed.look(resources)
  return feed
}

function createContext(
  options: PolicyServiceOptions,
  counts: PolicyCounts,
  onBug: (error: unknown) => void,
): PolicyContext {
  const { now = Date.now } = options
  // Its key ring is exchanged while the process runs.
  const config = { ...options.config }
  const tuning = { ...POLICY_TUNING, ...config.charging, ...options.tuning }
  const nonceTimes = { lifetimeMs: config.nonceLifetimeMs, clockSkewMs: tuning.clockSkewMs, now }
  const health = new StoreHealth(options.logger, counts, tuning.retryAfterS)
  const fraudFeed = createFraudFeed(options, { counts, health, onBug, state: () => parts.state })
  const pushes = new PushHub<policy.Push>()
  const ledgerCopy =
    options.ledgerCopy &&
    createLedgerCopy(options.ledgerCopy, {
      accounts: options.accounts,
      verifyAfterMs: tuning.verifyAfterMs,
      allAccounts: () => parts.state.index.accounts.keys(),
      ...{ health, counts, onBug },
    })
  const accounts = ledgerCopy?.accounts ?? options.accounts
  const parts: Omit<PolicyContext, 'work' | 'trunks'> = {
    store: options.store,
    accounts,
    ledgerCopy,
    marks: new AccountMarks(accounts, options.config.setupDeadlineMs + LEASE_MARGIN_MS, now),
    fraud: new FraudDesk(options.fraud, { ...NO_PORTS, ...fraudFeed?.ports, ...options.fraudPorts }, now),
    fraudFeed,
    logger: options.logger,
    now,
    settings: config,
    tuning,
    counts,
    charged: new Map(),
    health,
    nonces: new NonceMaker(config.keyRing, nonceTimes),
    oneTime: new OneTimeNonces(nonceMemoryMs(config.nonceLifetimeMs, tuning.clockSkewMs)),
    ...createBans(options, counts, onBug, pushes),
    challengeOrder: config.challengeOrder,
    issuers: new IssuerKeys(options.resources.keySets, { counts, logger: options.logger, pollMs: tuning.keySetPollMs }),
    gruuKeys: new LiveKeyRing(config.keyRing),
    pushes,
    edgeQuestions: new EdgeQuestions(pushes),
    trunkStore: options.trunks ?? createMemoryStore({ now }).trunks,
    groups: options.groups ?? createMemoryStore({ now }).groups,
    state: createState(options.resources, config),
  }
  // It works on the whole context.
  const whole = parts as PolicyContext
  const monotonic = options.now ?? (() => performance.now())
  return Object.assign(parts, {
    work: new CallWorker(whole, onBug, monotonic),
    trunks: new TrunkDesk(whole, options.resources, { now: monotonic, onBug, metrics: options.metrics }),
  })
}

function createBans(
  { bans: shared, config, logger, metrics, now }: PolicyServiceOptions,
  counts: PolicyCounts,
  onBug: (error: unknown) => void,
  pushes: PushHub<policy.Push>,
): Pick<PolicyContext, 'bans' | 'banFeed' | 'banStore' | 'localBans'> {
  const local = createMemoryStore({ now: now ?? Date.now }).bans
  const store = shared ?? local
  const monotonic = now ?? (() => performance.now())
  const bans = new Bans({ store, local, settings: config.bans, counts, logger, now: monotonic, onBug })
  metrics?.labelledGauge('tandem_policy_bans_known', 'Bans that this node knows of.', 'kind', () =>
    (['source', 'user', 'pair'] as const).map((kind) => [kind, bans.countOf(kind)]),
  )
  return { bans, banFeed: new BanFeed(bans, store, pushes, onBug), banStore: store, localBans: local }
}

const CASE_COUNTS = {
  plan: 'plans',
  admit: 'admits',
  watchRegistrations: 'watches',
  answer: 'answers',
  challenge: 'challenges',
  reject: 'rejects',
  redirect: 'redirects',
} as const satisfies Record<NonNullable<policy.DecideResponse['verdict']>['$case'], keyof PolicyCounts>

function countDecision(counts: PolicyCounts, result: Result<policy.DecideResponse>): Result<policy.DecideResponse> {
  if (result.outcome === 'done' && result.value.verdict !== undefined) counts[CASE_COUNTS[result.value.verdict.$case]]++
  return result
}

type Guard = <T>(act: () => Result<T> | Promise<Result<T>>) => Result<T> | Promise<Result<T>>

function createGuard(onBug: (error: unknown) => void): Guard {
  const fail = (error: unknown) => {
    onBug(error)
    return refusal('internal')
  }
  return (act) => {
    try {
      const result = act()
      return result instanceof Promise ? result.catch(fail) : result
    } catch (error) {
      return fail(error)
    }
  }
}

function createHandlers(context: PolicyContext, guard: Guard): PolicyService['handlers'] {
  const { counts } = context
  return {
    decide(request, asked) {
      counts.decisions++
      const decision = guard(() => decide(tracedContext(context, asked), request))
      if (!(decision instanceof Promise)) return countDecision(counts, decision)
      return decision.then((result) => countDecision(counts, result))
    },
    report(request, asked) {
      counts.reports++
      return guard(() => report(tracedContext(context, asked), request))
    },
    trunkAttempt: (request, asked) => guard(() => trunkAttempt(tracedContext(context, asked), request)),
    answerChallenge: (request) => guard(() => answerChallenge(context, request)),
    sent: (request) => guard(() => context.trunks.sent(request)),
    captured: (request, { peer }) => guard(() => context.edgeQuestions.captured(request, peer)),
    drainEdge: (request) => guard(() => drainEdge(context, request)),
    traceCall: (request) => guard(() => traceCall(context, request)),
    setMessageFilter: (request) => guard(() => setMessageFilter(context, request)),
    listMessageFilters: () => guard(() => listMessageFilters(context)),
    clearMessageFilters: () => guard(() => clearMessageFilters(context)),
    listTrunks: (request) => guard(() => listTrunks(context, request)),
    requestHangUp: (request) => guard(() => handleHangUp(context, request)),
    getAccount: (request) => guard(() => getAccount(context, request)),
    topUp: (request) => guard(() => topUp(context, request)),
    restoreLedger: (request) => guard(() => restoreLedger(context, request)),
    unblockAccount: (request) => guard(() => unblockAccount(context, request)),
    listBans: (request) => guard(() => listBans(context, request)),
    addBan: (request) => guard(() => addBan(context, request)),
    liftBan: (request) => guard(() => liftBan(context, request)),
    listCalls: (request) => guard(() => listCalls(context, request)),
    listFraudEvents: (request) => guard(() => listFraudEvents(context, request)),
    routeTest: (request) => guard(() => routeTest(context, request)),
    listGroup: (request) => guard(() => listGroup(context, request)),
    setGroupLogin: (request) => guard(() => setGroupLogin(context, request)),
    tryFraudRules: (request) => guard(() => tryFraudRules(context, request)),
  }
}

/** undefined: nobody gave a store for resources. */
function createDesk(
  { resourceStore: shared, config, logger, resources: set }: PolicyServiceOptions,
  use: (state: PolicyState, set: ResourceSet) => void,
): ResourceDesk | undefined {
  if (shared === undefined) return undefined
  const { store, load, documents, isApart } = shared
  return new ResourceDesk({
    store,
    isApart: isApart === true,
    load,
    keyRing: config.keyRing,
    state: config,
    logger,
    use,
    files: { set, documents },
  })
}

export function createPolicyService(options: PolicyServiceOptions): PolicyService {
  const counts = createCounts()
  const onBug = (error: unknown) => {
    counts.bugs++
    options.logger.error({ err: error }, 'a bug in policy')
  }
  const context = createContext(options, counts, onBug)
  let current = options.resources
  const use = (state: PolicyState, set: ResourceSet): void => {
    current = set
    context.state = state
    context.issuers.replace(set.keySets)
    context.trunks.replace(set)
    context.fraudFeed?.look(set)
  }
  const desk = createDesk(options, use)
  const dueWork = new DueWork(context, onBug)
  const feed = new RecordFeedServer(context, onBug)
  const samples = new Samples(context, feed, onBug)
  const filterGreeting = new FilterGreeting(context.pushes, context.edgeQuestions, onBug)
  if (options.metrics !== undefined) {
    registerCounts(options.metrics, counts)
    registerMoney(options.metrics, context.charged)
    registerSamples(options.metrics, samples)
    registerMatches(options.metrics, context.fraud)
    if (desk !== undefined) registerResources(options.metrics, desk)
  }
  return {
    handlers: createHandlers(context, createGuard(onBug)),
    pushes: context.pushes,
    hooks: {
      onStreamOpen(peer) {
        context.banFeed.greet(peer)
        context.trunks.emergency.greet(peer)
        filterGreeting.greet(peer)
      },
    },
    banFeed: context.banFeed,
    trunks: context.trunks,
    work: context.work,
    due: dueWork,
    feed,
    fraudEvents: context.fraudFeed?.events ?? NO_FEED,
    ledgers: context.ledgerCopy?.feed,
    counts,
    get revision() {
      return context.state.index.revision
    },
    resources: desk?.handlers,
    get trouble() {
      return desk?.trouble ?? ''
    },
    useKeyRing(ring) {
      context.settings.keyRing = ring
      context.nonces.useKeyRing(ring)
      context.gruuKeys.replace(ring)
      // The users of contacts at carriers are made from the ring.
      context.trunks.replace(current)
      desk?.useKeyRing(ring).catch((error: unknown) => onBug(error))
    },
    replaceResources: (set) => use(createState(set, options.config), set),
    ready: () => !context.health.away && desk?.isFollowing !== false,
    missing: () => [...(context.health.away ? ['store: it does not answer'] : []), ...(desk?.missing() ?? [])],
    async start() {
      await desk?.start()
      dueWork.start()
      context.work.start()
      samples.start(options.metrics)
      context.issuers.start()
      await context.fraudFeed?.start()
      context.banFeed.start()
      context.trunks.start()
      context.ledgerCopy?.start()
    },
    async stop() {
      feed.stop()
      await samples.stop()
      await desk?.stop()
      await context.fraudFeed?.stop()
      await context.ledgerCopy?.stop()
      context.issuers.stop()
      context.work.stop()
      await context.banFeed.stop()
      await context.trunks.stop()
      await dueWork.stop()
    },
  }
}
