/* SPDX-License-Identifier: MIT */
/* Addresses: text, words of the shared memory, and the kernel's structures. Link-local IPv6 has its zone as Node writes it: fe80::1%eth0. */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "udp_batch.h"

static bool parse_zone(const char *zone, int32_t *scope) {
  char *end;
  unsigned index = if_nametoindex(zone);
  if (index == 0) {
    index = (unsigned)strtoul(zone, &end, 10);
    if (*zone == '\0' || *end != '\0' || index == 0 || index > INT32_MAX) return false;
  }
  *scope = (int32_t)index;
  return true;
}

static bool parse_address6(const char *text, struct address_words *out) {
  char bare[INET6_ADDRSTRLEN];
  const char *percent = strchr(text, '%');
  size_t length = percent == NULL ? strlen(text) : (size_t)(percent - text);
  if (length >= sizeof bare) return false;
  memcpy(bare, text, length);
  bare[length] = '\0';
  if (inet_pton(AF_INET6, bare, out->word) != 1) return false;
  return percent == NULL || parse_zone(percent + 1, &out->scope);
}

/* Numeric addresses of the family only. */
bool parse_address(int family, const char *text, struct address_words *out) {
  memset(out, 0, sizeof *out);
  if (family == AF_INET6) return parse_address6(text, out);
  return inet_pton(AF_INET, text, out->word) == 1;
}

bool format_address(int family, const struct address_words *in, char *text, size_t size) {
  if (inet_ntop(family, in->word, text, (socklen_t)size) == NULL) return false;
  if (family != AF_INET6 || in->scope == 0 || !IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)in->word)) return true;
  char name[IF_NAMESIZE];
  size_t length = strlen(text);
  if (if_indextoname((unsigned)in->scope, name) == NULL || length + strlen(name) + 2 > size) return true;
  text[length] = '%';
  strcpy(text + length + 1, name);
  return true;
}

void to_socket_address(int family, const int32_t *words, int32_t scope, int port, union socket_address *out) {
  memset(out, 0, sizeof *out);
  if (family == AF_INET) {
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons((uint16_t)port);
    memcpy(&out->v4.sin_addr, words, 4);
    return;
  }
  out->v6.sin6_family = AF_INET6;
  out->v6.sin6_port = htons((uint16_t)port);
  out->v6.sin6_scope_id = (uint32_t)scope;
  memcpy(&out->v6.sin6_addr, words, 16);
}

/* Returns the port. */
int from_socket_address(int family, const union socket_address *in, int32_t *words, int32_t *scope) {
  if (family == AF_INET) {
    memcpy(words, &in->v4.sin_addr, 4);
    *scope = 0;
    return ntohs(in->v4.sin_port);
  }
  memcpy(words, &in->v6.sin6_addr, 16);
  *scope = (int32_t)in->v6.sin6_scope_id;
  return ntohs(in->v6.sin6_port);
}

socklen_t socket_address_length(int family) {
  return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}
