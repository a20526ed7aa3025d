// SPDX-License-Identifier: MIT
//
// What the stateful proxy counts: plain integers, read at scrape.

export class ProxyCounts {
  forked = 0
  /** Requests that got a second branch, beside the first or after it. */
  forkedRequests = 0
  cancelled = 0
  timerC = 0
  lateTrying = 0
  suppressed408 = 0
  unforwardable = 0
  serverTransportErrors = 0
  /** Branches in whose place another one went. */
  failedOver = 0
  /** 199s of our own. */
  earlyEnds = 0
  /** Header lines with challenges for which there was no room. */
  challengesDropped = 0
  /** 2xx that came when their server transaction had failed or ended. */
  lateDiscarded = 0
  /** Branches that another edge began. */
  resumed = 0
  /** Contexts that another edge has taken over. */
  surrendered = 0
}
