/* SPDX-License-Identifier: MIT */
/*
 * How long datagrams wait in the kernel before they are read. A stamp for each costs time, and says nothing while there is no queue: so stamps
 * are asked for when several batches in a row have come full, and no more after many that did not. A datagram that was queued before has
 * no stamp, and counts as new.
 */
#include <string.h>
#include <time.h>

#include "udp_batch.h"

enum { BEGIN_FULL = 4, END_CALM = 2000, MAX_AGE_US = 60 * 1000 * 1000 };

static void set_stamping(struct udp_socket *s, int on) {
  s->stamping = setsockopt(s->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0 && on != 0;
}

/* Of the first datagram of the batch, which has waited longest; by the kernel's wall clock, which may be set meanwhile. */
static int32_t age_us(struct udp_socket *s) {
  struct msghdr *header = &s->rx_messages[0].msg_hdr;
  struct timespec stamp, now;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS) continue;
    memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t us = (int64_t)(now.tv_sec - stamp.tv_sec) * 1000000 + (now.tv_nsec - stamp.tv_nsec) / 1000;
    return us < 0 ? 0 : us > MAX_AGE_US ? MAX_AGE_US : (int32_t)us;
  }
  return 0;
}

/* To be called before the messages of a batch are reset. */
void note_queue_age(struct udp_socket *s, unsigned received) {
  bool full = received == s->rx_slots;
  s->full_batches = full ? s->full_batches + 1 : 0;
  s->calm_batches = full ? 0 : s->calm_batches + 1;
  if (!s->stamping) {
    if (s->full_batches >= BEGIN_FULL) set_stamping(s, 1);
    return;
  }
  s->control[CTL_QUEUE_US] = received > 0 ? age_us(s) : 0;
  if (s->calm_batches < END_CALM) return;
  set_stamping(s, 0);
  s->control[CTL_QUEUE_US] = 0;
}
