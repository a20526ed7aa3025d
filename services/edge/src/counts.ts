// SPDX-License-Identifier: MIT
//
// What an edge counts: plain integers, added up on the hot path and read at scrape. Every message that ends in no response and
// no forward ends in one of the `dropped…` counts [DESIGN §3.5].

export class EdgeCounts {
  /** Dropped: neither answered nor forwarded. */
  droppedUnreadable = 0
  droppedAck = 0
  droppedStrayResponse = 0
  droppedForgedAck = 0
  acksLost = 0
  droppedOwnedElsewhere = 0
  droppedRelay = 0
  droppedLookup = 0
  droppedAdmission = 0
  droppedBanned = 0
  droppedByBug = 0
  /** Nothing but line ends: no message. */
  keepAlives = 0
  /** Answered by the edge itself. */
  refusedUnreadable = 0
  refusedForgedToken = 0
  refusedNoDialog = 0
  refusedMaxForwards = 0
  /** [RFC3261-16.3.3b] */
  optionsAnswered = 0
  refusedLoop = 0
  refusedExtension = 0
  refusedScheme = 0
  refusedRoute = 0
  refusedOverload = 0
  refusedAdmission = 0
  refusedBanned = 0
  refusedRate = 0
  refusedDraining = 0
  cancelsUnmatched = 0
  cancelsEarly = 0
  cancelsRinging = 0
  /** Outcomes. */
  registrations = 0
  subscriptions = 0
  subscriptionsFailed = 0
  notifies = 0
  notifiesFailed = 0
  registrationsFailed = 0
  challenges = 0
  calls = 0
  callsAnswered = 0
  lateAnswersEnded = 0
  callsFailed = 0
  acksForwarded = 0
  inDialog = 0
  statelessResponses = 0
  relayedResponses = 0
  relayedRequests = 0
  relaysTaken = 0
  relaysRefused = 0
  relaysLost = 0
  adoptions = 0
  adoptionsFailed = 0
  adoptionsPutOff = 0
  askedRequests = 0
  trunksRefused = 0
  trunkChallenges = 0
  askedRequestsDropped = 0
  takeovers = 0
  acksAbsorbed = 0
  failuresAbsorbed = 0
  statelessRequests = 0
  statelessFailures = 0
  internalHops = 0
  flowFailures = 0
  bindingsEnded = 0
  calleesPinned = 0
  natPings = 0
  natPingsUnanswered = 0
  natEdgesGone = 0
  natBindingsInherited = 0
  natBindingsRefused = 0
  natBindingsRemoved = 0
  answersLate = 0
  failovers = 0
  unreachable = 0
  recursions = 0
  redirects = 0
  targetsDropped = 0
  refusedBreadth = 0
  decideUnknown = 0
  decisionsFlawed = 0
  decidedOpen = 0
  decidedLastKnown = 0
  decidedEmergency = 0
  directoryUnknown = 0
  endsLate = 0
  surrenders = 0
  relaysWaitedOn = 0
  concludedElsewhere = 0
  hangUps = 0
  hangUpsRefused = 0
  hangUpsDropped = 0
  probes = 0
  warnings = 0
  warningsFailed = 0
  dialogUpdates = 0
  dialogsUnkept = 0
}

/** One line of help a count, for /metrics; the type makes it complete. */
export const EDGE_COUNT_HELP: Readonly<Record<keyof EdgeCounts, string>> = {
  droppedUnreadable: 'Messages dropped because nothing in them can be answered.',
  droppedAck: 'ACKs dropped because they belong to nothing.',
  droppedStrayResponse: 'Responses dropped because they belong to nothing of ours.',
  droppedForgedAck: 'ACKs dropped because their Route token does not verify.',
  acksLost: 'ACKs of 2xx whose connection was gone.',
  droppedOwnedElsewhere: 'Repeated INVITEs dropped because their call was answered, or is gone from the directory.',
  droppedRelay: 'Messages of transactions of other edges dropped because too many wait.',
  droppedLookup: 'CANCELs dropped because nobody could say who runs their INVITE.',
  droppedAdmission:
    'Requests over UDP dropped because their latency is too long, others go first, and enough are answered with 503.',
  droppedBanned: 'Requests dropped because their source is banned.',
  droppedByBug: 'Messages lost to an exception: a bug.',
  keepAlives: 'Datagrams that only keep a NAT open.',
  refusedUnreadable: 'Requests answered with an error because they could not be read.',
  refusedForgedToken: 'Requests answered with 403 because their Route token does not verify.',
  refusedNoDialog: 'In-dialog requests answered with 481 because they carry no token.',
  refusedMaxForwards: 'Requests answered with 483.',
  optionsAnswered: 'OPTIONS with Max-Forwards 0, answered with 200; those by which the edge asks itself among them.',
  refusedLoop: 'Requests answered with 482.',
  refusedExtension: 'Requests answered with 420.',
  refusedScheme: 'Requests answered with 416.',
  refusedRoute: 'Initial requests answered with 403 for a Route that is not ours.',
  refusedOverload: 'Requests answered with 503 because a bound is reached.',
  refusedAdmission: 'Requests answered with 503 because their latency is too long and others go first.',
  refusedBanned: 'Requests answered with 403 because their source is banned.',
  refusedRate: 'Requests answered with 503 because their source sends too many.',
  refusedDraining: 'Requests answered with 503 because the edge drains.',
  cancelsUnmatched: 'CANCELs answered with 481.',
  cancelsEarly: 'CANCELs before the caller had a response beyond 100.',
  cancelsRinging: 'CANCELs after the caller had a response beyond 100.',
  registrations: 'REGISTERs that ended in 200.',
  subscriptions: 'SUBSCRIBEs to registrations that ended in 200.',
  subscriptionsFailed: 'SUBSCRIBEs to registrations that were refused, challenges left out.',
  notifies: 'NOTIFYs of registrations sent.',
  notifiesFailed: 'NOTIFYs of registrations that did not end in a 2xx.',
  registrationsFailed: 'REGISTERs that location or policy refused or did not answer.',
  challenges: 'Challenges sent.',
  calls: 'INVITEs that got a plan.',
  callsAnswered: 'Initial INVITEs that ended in a 2xx.',
  lateAnswersEnded: 'Answers of calls on record whose caller had his failure by then: ACKed, and ended with BYE.',
  callsFailed: 'Initial INVITEs that ended in another final response.',
  acksForwarded: 'ACKs of 2xx forwarded.',
  inDialog: 'Other in-dialog requests forwarded.',
  relayedResponses:
    'Responses of transactions of other edges: handed to the one that runs it, or dealt with here if it is gone.',
  relayedRequests: 'The same for repeated INVITEs, CANCELs and ACKs.',
  relaysTaken: 'Messages of other edges that a transaction of this edge took.',
  relaysRefused: 'Messages of other edges for which there was no transaction here.',
  relaysLost: 'Messages to other edges that were not acknowledged in time, or whose connection was lost.',
  adoptions: 'Calls in set-up taken over from another edge.',
  adoptionsFailed: 'Calls in set-up that were taken over and could not be gone on with.',
  trunksRefused: 'Tries at a trunk that policy did not let through, or did not answer for.',
  trunkChallenges: 'Challenges of trunks that policy was asked to answer.',
  askedRequests: 'Probes and registrations that policy had this edge send.',
  askedRequestsDropped: 'Of these, not sent: too many at once, or not to be written.',
  adoptionsPutOff:
    'Calls in set-up left to an edge that is silent and still a member, because policy gave no decision to go on with.',
  takeovers: 'Calls in set-up of edges that are gone, looked at by the edge whose share they are.',
  acksAbsorbed: 'ACKs of failures that an edge had sent which is gone.',
  failuresAbsorbed: 'Failures of calls that had ended at an edge which is gone: acknowledged here.',
  statelessResponses: 'Responses forwarded without a transaction.',
  statelessRequests: 'Requests forwarded without a transaction, as their plan or overload asked for.',
  statelessFailures: 'Requests that were to pass without a transaction and had no way.',
  internalHops: 'Requests passed on to a flow of this edge for another edge.',
  bindingsEnded: 'Bindings removed because their connection has ended.',
  flowFailures: 'Requests for a flow that is gone.',
  calleesPinned: 'Responses whose Contact a NAT hides: later requests go where the first one went.',
  natPings: 'Keep-alives sent to bindings behind a NAT.',
  natPingsUnanswered: 'OPTIONS to bindings behind a NAT that nobody answered.',
  natEdgesGone: 'Look-ups of contacts behind a NAT that let in only an edge that is gone.',
  natBindingsInherited: 'Addresses-of-record behind a NAT that an edge left to this one’s pings which is gone.',
  natBindingsRefused: 'Bindings behind a NAT that are not kept open because the table of them is full.',
  natBindingsRemoved: 'Bindings behind a NAT removed because they answered no OPTIONS.',
  answersLate: 'Answers that were not on record in time: forwarded or ended, as set.',
  failovers: 'Branches sent to another endpoint or flow because one failed.',
  unreachable: 'Requests ended because the network says that their destination is unreachable (ICMP).',
  recursions: '3xx responses whose Contacts were followed.',
  redirects: 'Requests answered with a 3xx by the edge itself.',
  targetsDropped: 'Targets that were not tried because the request had as many branches as it may.',
  refusedBreadth: 'Requests answered with 440.',
  decideUnknown: 'Decisions that policy did not give in time.',
  decisionsFlawed:
    'Decisions of policy that could not be carried out: malformed, out of bounds, or of another version.',
  decidedOpen: 'Requests that went to registered users while policy gave no answer (edge.decide.whenAway: open).',
  decidedLastKnown:
    'Requests decided as policy had decided before, while it gave no answer (edge.decide.whenAway: last-known).',
  decidedEmergency: 'Emergency calls let through while policy gave no answer.',
  directoryUnknown: 'Directory entries that location did not make in time.',
  endsLate: 'Ends of calls that were not on record in time: the response to the BYE went before.',
  surrenders: 'Calls in set-up that this edge ran and let go of, because another one has adopted them.',
  relaysWaitedOn: 'Messages to an edge that was silent for 50 ms and acknowledged others: given 50 ms more.',
  hangUps: 'Calls that policy had this edge end.',
  hangUpsRefused: 'Of those, the ones of which a leg has no party that took the BYE.',
  hangUpsDropped: 'Hang-ups that were not begun because too many are under way: another edge gets them.',
  probes: 'Calls whose parties were asked whether they still know of it.',
  warnings: 'MESSAGEs that warn a caller of the end of his call.',
  warningsFailed: 'Of those, the ones that had no way or were refused.',
  dialogUpdates: 'Requests inside calls on record that changed their dialog: reported.',
  dialogsUnkept: 'Answers whose dialog is not on record: without Contact or token, or too large.',
  concludedElsewhere:
    'Calls that another edge had adopted when this one sent their final response: it was told to let go.',
}
