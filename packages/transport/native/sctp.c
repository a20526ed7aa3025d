/* SPDX-License-Identifier: MIT */
/*
 * What Node has no way to say: a stream socket of a protocol other than TCP. Each function is one system call on a file descriptor;
 * listening, accepting, connecting, reading and writing are done by Node (net.Server, net.Socket), which takes the descriptor over.
 * src/sctp/addon.ts has the types; src/sctp/sockets.ts puts the calls in order. A failed call throws an Error with the `code` of its errno.
 *
 * Invariants: no state, no callbacks, nothing global: the addon loads in every worker. The protocol is an argument, so that all of it runs
 * with TCP's number where the kernel has no SCTP. Whoever opens a descriptor closes it, or hands it to Node, which does.
 */
#include <errno.h>
#include <netinet/in.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define MAX_OPTION_BYTES 256

static napi_value throw_errno(napi_env env, int error, const char *call) {
  char message[160];
  snprintf(message, sizeof message, "%s: %s", call, uv_strerror(error));
  napi_throw_error(env, uv_err_name(error), message);
  return NULL;
}

/* The first `count` arguments, which are int32; false, with an exception, where one is not. All `total` are in argv. */
static bool take(napi_env env, napi_callback_info info, size_t count, size_t total, int32_t *numbers, napi_value *argv) {
  size_t given = total;
  bool good = napi_get_cb_info(env, info, &given, argv, NULL, NULL) == napi_ok && given >= total;
  for (size_t k = 0; good && k < count; k++) good = napi_get_value_int32(env, argv[k], &numbers[k]) == napi_ok;
  if (!good) napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "sctp addon: wrong arguments");
  return good;
}

/* open(family: 4 | 6, protocol): a file descriptor, not blocking. */
static napi_value js_open(napi_env env, napi_callback_info info) {
  int32_t numbers[2];
  napi_value argv[2], result;
  if (!take(env, info, 2, 2, numbers, argv)) return NULL;
  int fd = socket(numbers[0] == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, numbers[1]);
  if (fd < 0) return throw_errno(env, -errno, "socket");
  napi_create_int32(env, fd, &result);
  return result;
}

/* setOption(fd, level, name, bytes: Uint8Array) */
static napi_value js_set_option(napi_env env, napi_callback_info info) {
  int32_t numbers[3];
  napi_value argv[4];
  void *bytes = NULL;
  size_t length = 0;
  if (!take(env, info, 3, 4, numbers, argv)) return NULL;
  if (napi_get_typedarray_info(env, argv[3], NULL, &length, &bytes, NULL, NULL) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "sctp addon: expected a Uint8Array");
    return NULL;
  }
  if (setsockopt(numbers[0], numbers[1], numbers[2], bytes, (socklen_t)length) != 0)
    return throw_errno(env, -errno, "setsockopt");
  return NULL;
}

/* getOption(fd, level, name, size): a Buffer of as many bytes as the kernel gave. */
static napi_value js_get_option(napi_env env, napi_callback_info info) {
  int32_t numbers[4];
  napi_value argv[4], result;
  unsigned char bytes[MAX_OPTION_BYTES] = {0};
  if (!take(env, info, 4, 4, numbers, argv)) return NULL;
  if (numbers[3] < 1 || numbers[3] > MAX_OPTION_BYTES) return throw_errno(env, UV_EINVAL, "getsockopt");
  socklen_t length = (socklen_t)numbers[3];
  if (getsockopt(numbers[0], numbers[1], numbers[2], bytes, &length) != 0) return throw_errno(env, -errno, "getsockopt");
  napi_create_buffer_copy(env, length, bytes, NULL, &result);
  return result;
}

/* bind(fd, address, port): numeric, of the family of the socket. */
static napi_value js_bind(napi_env env, napi_callback_info info) {
  int32_t fd, port;
  napi_value argv[3];
  char text[128];
  size_t length;
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } place;
  if (!take(env, info, 1, 3, &fd, argv)) return NULL;
  /* A text that fills the buffer was cut. */
  if (napi_get_value_int32(env, argv[2], &port) != napi_ok || port < 0 || port > 65535 ||
      napi_get_value_string_utf8(env, argv[1], text, sizeof text, &length) != napi_ok || length >= sizeof text - 1)
    return throw_errno(env, UV_EINVAL, "bind");
  bool is6 = strchr(text, ':') != NULL;
  int error = is6 ? uv_ip6_addr(text, port, &place.v6) : uv_ip4_addr(text, port, &place.v4);
  if (error != 0) return throw_errno(env, error, "bind");
  if (bind(fd, &place.any, is6 ? sizeof place.v6 : sizeof place.v4) != 0) return throw_errno(env, -errno, "bind");
  return NULL;
}

/* close(fd): of a socket that was not handed over. */
static napi_value js_close(napi_env env, napi_callback_info info) {
  int32_t fd;
  napi_value argv[1];
  if (take(env, info, 1, 1, &fd, argv)) close(fd);
  return NULL;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {"open", NULL, js_open, NULL, NULL, NULL, napi_enumerable, NULL},
      {"setOption", NULL, js_set_option, NULL, NULL, NULL, napi_enumerable, NULL},
      {"getOption", NULL, js_get_option, NULL, NULL, NULL, napi_enumerable, NULL},
      {"bind", NULL, js_bind, NULL, NULL, NULL, napi_enumerable, NULL},
      {"close", NULL, js_close, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}
