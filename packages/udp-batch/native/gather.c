/* SPDX-License-Identifier: MIT */
/*
 * Under load a datagram for each turn of the event loop is dear: the loop, the kernel and JavaScript run with cold caches each time. So above
 * some thousand datagrams a second a socket is not waited for any more, but read every `gather_ms`, as network cards do; below, it is waited
 * for again. Nothing blocks meanwhile: the loop serves everything else. A batch that came full is followed by the next one in the next turn.
 *
 * Errors of the network wake nobody while a socket is gathered: recvmmsg tells of the pending one, sendmmsg leaves a mark.
 */
#include "udp_batch.h"

enum { WINDOW_MS = 30, BEGIN_PER_SECOND = 2000, END_PER_SECOND = 1000 };

static void on_tick(uv_timer_t *timer);

static void set_gathering(struct udp_socket *s, bool gathering) {
  s->gathering = gathering;
  if (gathering) uv_timer_start(&s->timer, on_tick, (uint64_t)s->gather_ms, 0);
  else uv_timer_stop(&s->timer);
  arm(s);
}

/* Counts what one look at the socket brought, and changes how it is read when the rate of a window says so. */
static void count_rate(struct udp_socket *s, unsigned received) {
  uint64_t now = uv_now(s->timer.loop);
  s->window_count += received;
  uint64_t elapsed = now - s->window_start;
  if (elapsed < WINDOW_MS) return;
  uint64_t rate = (uint64_t)s->window_count * 1000 / elapsed;
  s->window_start = now;
  s->window_count = 0;
  if (rate >= BEGIN_PER_SECOND && !s->gathering) set_gathering(s, true);
  else if (rate < END_PER_SECOND && s->gathering) set_gathering(s, false);
}

/* One batch; the count of slots that were filled. */
unsigned receive_counted(struct udp_socket *s) {
  unsigned received = receive_batch(s);
  if (s->gather_ms > 0 && !s->closing) count_rate(s, received);
  return received;
}

static void on_tick(uv_timer_t *timer) {
  struct udp_socket *s = timer->data;
  uint64_t due = uv_now(timer->loop) + (uint64_t)s->gather_ms;
  unsigned received = receive_counted(s);
  if (s->has_errors && !s->closing) drain_errors(s);
  if (s->closing || !s->gathering) return;
  // JavaScript has taken its time: the next look is due that much sooner.
  uv_update_time(timer->loop);
  uint64_t now = uv_now(timer->loop);
  uv_timer_start(timer, on_tick, received == s->rx_slots || now >= due ? 0 : due - now, 0);
}
