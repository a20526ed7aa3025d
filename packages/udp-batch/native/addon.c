/* SPDX-License-Identifier: MIT */
/*
 * What JavaScript sees: open, close, flush, parseAddress, formatAddress, failSends, shedRegisters, layout. Every argument is checked; a wrong one throws.
 * src/addon.ts has the types.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "udp_batch.h"

static const napi_type_tag SOCKET_TAG = {0x7a1d6e8b0c554a1dULL, 0x9b2f41c07de3865aULL};

static napi_value throw_type(napi_env env, const char *message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return NULL;
}

static int32_t int_of(napi_env env, napi_value object, const char *name) {
  napi_value value;
  int32_t result = 0;
  if (napi_get_named_property(env, object, name, &value) == napi_ok) napi_get_value_int32(env, value, &result);
  return result;
}

/* The function of that name, NULL where it is none. */
static napi_ref function_of(napi_env env, napi_value object, const char *name) {
  napi_value value;
  napi_valuetype type;
  napi_ref reference = NULL;
  if (napi_get_named_property(env, object, name, &value) != napi_ok) return NULL;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_function) return NULL;
  napi_create_reference(env, value, 1, &reference);
  return reference;
}

/* The memory of an ArrayBuffer of at least `size` bytes, held by *reference. NULL where it is something else or smaller. */
static void *buffer_of(napi_env env, napi_value object, const char *name, size_t size, napi_ref *reference) {
  napi_value value;
  bool is_buffer = false;
  void *data = NULL;
  size_t length = 0;
  if (napi_get_named_property(env, object, name, &value) != napi_ok) return NULL;
  if (napi_is_arraybuffer(env, value, &is_buffer) != napi_ok || !is_buffer) return NULL;
  if (napi_get_arraybuffer_info(env, value, &data, &length) != napi_ok || length < size) return NULL;
  return napi_create_reference(env, value, 1, reference) == napi_ok ? data : NULL;
}

static bool take_memory(napi_env env, napi_value options, struct udp_socket *s) {
  int32_t stride = int_of(env, options, "stride"), rx = int_of(env, options, "receiveSlots");
  int32_t tx = int_of(env, options, "sendSlots"), slab = int_of(env, options, "slabBytes");
  if (stride < 1 || stride > 1 << 20 || rx < 1 || rx > MAX_SLOTS || tx < 1 || tx > MAX_SLOTS || slab < 1) return false;
  s->stride = (unsigned)stride;
  s->rx_slots = (unsigned)rx;
  s->tx_slots = (unsigned)tx;
  s->slab_bytes = (size_t)slab;
  size_t words = CTL_WORDS + (size_t)rx * RX_WORDS + (size_t)tx * TX_WORDS;
  s->ring = buffer_of(env, options, "ring", (size_t)rx * s->stride, &s->buffers[0]);
  s->slab = buffer_of(env, options, "slab", s->slab_bytes, &s->buffers[1]);
  s->control = buffer_of(env, options, "words", words * sizeof(int32_t), &s->buffers[2]);
  s->counters = buffer_of(env, options, "counters", N_COUNTERS * sizeof(double), &s->buffers[3]);
  if (s->ring == NULL || s->slab == NULL || s->control == NULL || s->counters == NULL) return false;
  s->rx = s->control + CTL_WORDS;
  s->tx = s->rx + (size_t)rx * RX_WORDS;
  s->on_batch = function_of(env, options, "onBatch");
  s->on_unreachable = function_of(env, options, "onUnreachable");
  return s->on_batch != NULL;
}

/* One block, largest alignment first. */
static bool make_arrays(struct udp_socket *s) {
  size_t rx = s->rx_slots, tx = s->tx_slots, all = rx + tx;
  size_t each = sizeof(struct mmsghdr) + sizeof(struct iovec) + sizeof(union socket_address);
  s->arrays = calloc(1, all * each + rx * CONTROL_BYTES);
  if (s->arrays == NULL) return false;
  s->rx_messages = s->arrays;
  s->tx_messages = s->rx_messages + rx;
  s->rx_vectors = (struct iovec *)(s->tx_messages + tx);
  s->tx_vectors = s->rx_vectors + rx;
  s->rx_control = (unsigned char *)(s->tx_vectors + tx);
  s->rx_names = (union socket_address *)(s->rx_control + rx * CONTROL_BYTES);
  s->tx_names = s->rx_names + rx;
  prepare_receive(s);
  return true;
}

/* Undoes what open did before it failed. */
static void undo(napi_env env, struct udp_socket *s) {
  if (s->fd >= 0) close(s->fd);
  for (int i = 0; i < 4; i++)
    if (s->buffers[i] != NULL) napi_delete_reference(env, s->buffers[i]);
  if (s->on_batch != NULL) napi_delete_reference(env, s->on_batch);
  if (s->on_unreachable != NULL) napi_delete_reference(env, s->on_unreachable);
  free(s->arrays);
  free(s);
}

static void on_collected(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  struct udp_socket *s = data;
  s->collected = true;
  free_when_unused(s);
}

/* The environment ends. Sends that wait leave; nothing of JavaScript is touched any more. */
static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  struct udp_socket *s = data;
  s->env_gone = true;
  close_socket(s);
}

static napi_value throw_errno(napi_env env, int error, const char *call) {
  char message[160];
  snprintf(message, sizeof message, "%s: %s", call, uv_strerror(error));
  napi_throw_error(env, uv_err_name(error), message);
  return NULL;
}

static int open_with(napi_env env, napi_value options, struct udp_socket *s, const char **call) {
  char address[128];
  size_t length;
  napi_value text;
  struct settings settings = {.address = address,
                              .port = int_of(env, options, "port"),
                              .reuse_port = int_of(env, options, "reusePort") != 0,
                              .recv_buffer_bytes = int_of(env, options, "recvBufferBytes"),
                              .send_buffer_bytes = int_of(env, options, "sendBufferBytes"),
                              .dscp = int_of(env, options, "dscp")};
  *call = "address";
  if (napi_get_named_property(env, options, "address", &text) != napi_ok ||
      napi_get_value_string_utf8(env, text, address, sizeof address, &length) != napi_ok)
    return UV_EINVAL;
  *call = "port";
  if (settings.port < 0 || settings.port > 65535 || settings.dscp < 0 || settings.dscp > 63) return UV_EINVAL;
  return open_udp(s, &settings, call);
}

/* The address and port that the kernel gave, and the handle. */
static napi_value describe_socket(napi_env env, struct udp_socket *s, napi_value handle) {
  union socket_address bound = {0};
  socklen_t size = sizeof bound;
  struct address_words words = {0};
  char text[128] = "";
  napi_value result, address, port;
  getsockname(s->fd, &bound.any, &size);
  int number = from_socket_address(s->family, &bound, words.word, &words.scope);
  format_address(s->family, &words, text, sizeof text);
  napi_create_object(env, &result);
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &address);
  napi_create_int32(env, number, &port);
  napi_set_named_property(env, result, "handle", handle);
  napi_set_named_property(env, result, "address", address);
  napi_set_named_property(env, result, "port", port);
  return result;
}

static napi_value open_socket(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value options, handle, name;
  uv_loop_t *loop;
  const char *call = "memory";
  if (napi_get_cb_info(env, info, &argc, &options, NULL, NULL) != napi_ok || argc < 1)
    return throw_type(env, "open(options)");
  struct udp_socket *s = calloc(1, sizeof *s);
  if (s == NULL) return throw_errno(env, UV_ENOMEM, call);
  s->env = env;
  s->fd = -1;
  s->gather_ms = int_of(env, options, "gatherMs");
  s->max_waiting_bytes = (size_t)(uint32_t)int_of(env, options, "maxQueuedBytes");
  if (!take_memory(env, options, s)) {
    undo(env, s);
    return throw_type(env, "open: slots, buffers or onBatch");
  }
  int error = make_arrays(s) ? open_with(env, options, s, &call) : UV_ENOMEM;
  if (error == 0 && napi_get_uv_event_loop(env, &loop) != napi_ok) error = UV_EINVAL;
  if (error == 0) error = start_events(s, loop);
  if (error != 0) {
    undo(env, s);
    return throw_errno(env, error, call);
  }
  napi_create_string_utf8(env, "UDPBATCH", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &s->async);
  napi_create_external(env, s, on_collected, NULL, &handle);
  napi_type_tag_object(env, handle, &SOCKET_TAG);
  napi_create_reference(env, handle, 1, &s->self);
  napi_add_async_cleanup_hook(env, on_environment_end, s, &s->cleanup);
  return describe_socket(env, s, handle);
}

/* The socket of the first argument; NULL, with an exception, where it is none. */
static struct udp_socket *socket_of(napi_env env, napi_callback_info info, size_t argc, napi_value *argv) {
  size_t given = argc;
  bool ours = false;
  void *data = NULL;
  if (napi_get_cb_info(env, info, &given, argv, NULL, NULL) == napi_ok && given == argc &&
      napi_check_object_type_tag(env, argv[0], &SOCKET_TAG, &ours) == napi_ok && ours)
    napi_get_value_external(env, argv[0], &data);
  if (data == NULL) throw_type(env, "expected a socket of this addon");
  return data;
}

static napi_value js_close(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  struct udp_socket *s = socket_of(env, info, 1, argv);
  if (s != NULL) close_socket(s);
  return NULL;
}

static napi_value js_flush(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  struct udp_socket *s = socket_of(env, info, 1, argv);
  if (s != NULL && !s->closing) flush_sends(s);
  return NULL;
}

/* Tests: the next `count` system calls for sending fail with `error`. */
static napi_value js_fail_sends(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  struct udp_socket *s = socket_of(env, info, 3, argv);
  if (s == NULL) return NULL;
  napi_get_value_int32(env, argv[1], &s->fault_errno);
  napi_get_value_int32(env, argv[2], &s->fault_count);
  return NULL;
}

/* shedRegisters(socket, share of 65,536). */
static napi_value js_shed_registers(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  uint32_t share = 0;
  struct udp_socket *s = socket_of(env, info, 2, argv);
  if (s == NULL) return NULL;
  napi_get_value_uint32(env, argv[1], &share);
  if (!s->closing) shed_registers(s, share > 65535 ? 65535 : share);
  return NULL;
}

/* (family, Int32Array of five words): the memory of the words and the family; NULL, with an exception, where they are something else. */
static struct address_words *words_of(napi_env env, napi_value family, napi_value array, int *out) {
  napi_typedarray_type type;
  size_t length = 0;
  void *data = NULL;
  int32_t number = 0;
  napi_get_value_int32(env, family, &number);
  *out = number == 6 ? AF_INET6 : AF_INET;
  if (napi_get_typedarray_info(env, array, &type, &length, &data, NULL, NULL) != napi_ok || type != napi_int32_array ||
      length < 5) {
    throw_type(env, "expected an Int32Array of five words");
    return NULL;
  }
  return data;
}

/* parseAddress(family, words, text): whether the text is a numeric address of the family; its words are filled in. */
static napi_value js_parse_address(napi_env env, napi_callback_info info) {
  size_t argc = 3, length;
  napi_value argv[3], result;
  int family;
  char text[128];
  napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
  struct address_words *words = words_of(env, argv[0], argv[1], &family);
  if (words == NULL) return NULL;
  // A text that fills the buffer was cut, and one with a NUL in it ends there: neither is an address.
  bool fits = napi_get_value_string_utf8(env, argv[2], text, sizeof text, &length) == napi_ok && length < sizeof text - 1;
  bool good = fits && strlen(text) == length && parse_address(family, text, words);
  napi_get_boolean(env, good, &result);
  return result;
}

/* formatAddress(family, words): the text. */
static napi_value js_format_address(napi_env env, napi_callback_info info) {
  size_t argc = 2;
  napi_value argv[2], result;
  int family;
  char text[128] = "";
  napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
  struct address_words *words = words_of(env, argv[0], argv[1], &family);
  if (words == NULL) return NULL;
  format_address(family, words, text, sizeof text);
  napi_create_string_latin1(env, text, NAPI_AUTO_LENGTH, &result);
  return result;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {"open", NULL, open_socket, NULL, NULL, NULL, napi_enumerable, NULL},
      {"close", NULL, js_close, NULL, NULL, NULL, napi_enumerable, NULL},
      {"flush", NULL, js_flush, NULL, NULL, NULL, napi_enumerable, NULL},
      {"failSends", NULL, js_fail_sends, NULL, NULL, NULL, napi_enumerable, NULL},
      {"shedRegisters", NULL, js_shed_registers, NULL, NULL, NULL, napi_enumerable, NULL},
      {"parseAddress", NULL, js_parse_address, NULL, NULL, NULL, napi_enumerable, NULL},
      {"formatAddress", NULL, js_format_address, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_value layout;
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  napi_create_int32(env, LAYOUT_VERSION, &layout);
  napi_set_named_property(env, exports, "layout", layout);
  return exports;
}
