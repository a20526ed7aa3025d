/* SPDX-License-Identifier: MIT */
/* The socket and its options. What the kernel may refuse without harm (buffer sizes, DSCP, drop counts, ICMP errors) is refused silently. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "udp_batch.h"

static bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* FORCE passes net.core.rmem_max and wmem_max, where the process may (CAP_NET_ADMIN). */
static void set_buffers(int fd, const struct settings *settings) {
  int receive = settings->recv_buffer_bytes, send = settings->send_buffer_bytes;
  if (receive > 0 && !set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive)) set_option(fd, SOL_SOCKET, SO_RCVBUF, receive);
  if (send > 0 && !set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, send)) set_option(fd, SOL_SOCKET, SO_SNDBUF, send);
}

static bool is_wildcard(int family, const struct address_words *address) {
  static const int32_t none[4];
  return memcmp(address->word, none, family == AF_INET ? 4 : 16) == 0;
}

static void set_quiet_options(struct udp_socket *s, const struct settings *settings) {
  bool is6 = s->family == AF_INET6;
  int level = is6 ? IPPROTO_IPV6 : IPPROTO_IP;
  set_buffers(s->fd, settings);
  if (settings->dscp > 0) set_option(s->fd, level, is6 ? IPV6_TCLASS : IP_TOS, settings->dscp << 2);
  set_option(s->fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  set_option(s->fd, level, is6 ? IPV6_RECVERR : IP_RECVERR, 1);
  if (s->wildcard) set_option(s->fd, level, is6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1);
}

static int fail(struct udp_socket *s, const char *name, const char **call) {
  int error = errno;
  if (s->fd >= 0) close(s->fd);
  s->fd = -1;
  *call = name;
  return -error;
}

/* No SO_REUSEADDR: for UDP it would let another process take the port. */
int open_udp(struct udp_socket *s, const struct settings *settings, const char **call) {
  struct address_words address;
  union socket_address place;
  s->family = strchr(settings->address, ':') == NULL ? AF_INET : AF_INET6;
  s->fd = -1;
  errno = EINVAL;
  if (!parse_address(s->family, settings->address, &address)) return fail(s, "address", call);
  s->wildcard = is_wildcard(s->family, &address);
  s->fd = socket(s->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s->fd < 0) return fail(s, "socket", call);
  if (s->family == AF_INET6 && !set_option(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) return fail(s, "IPV6_V6ONLY", call);
  if (settings->reuse_port && !set_option(s->fd, SOL_SOCKET, SO_REUSEPORT, 1)) return fail(s, "SO_REUSEPORT", call);
  set_quiet_options(s, settings);
  to_socket_address(s->family, address.word, address.scope, settings->port, &place);
  if (bind(s->fd, &place.any, socket_address_length(s->family)) != 0) return fail(s, "bind", call);
  return 0;
}
