// Helpers for strategies in C, over the generated bindings: short names, texts, parameters by name.
//
// The bindings free whatever a strategy returns, so every text and list in it must come from malloc. `ta_bot_text` and
// `ta_bot_new` take care of that; a literal would be freed, too, and the call would trap.
#ifndef TA_BOT_H
#define TA_BOT_H

#include "strategy_module.h"
#include <stdlib.h>
#include <string.h>

// The types of the WIT package under names that fit on a line.
typedef strategy_module_string_t ta_bot_string;
typedef ta_bot_strategy_types_value_t ta_bot_value;
typedef ta_bot_strategy_types_parameter_t ta_bot_parameter;
typedef ta_bot_strategy_types_tuple2_string_value_t ta_bot_entry;
typedef exports_ta_bot_strategy_strategy_parameters_t ta_bot_parameters;
typedef exports_ta_bot_strategy_strategy_description_t ta_bot_description;
typedef exports_ta_bot_strategy_strategy_context_t ta_bot_context;
typedef exports_ta_bot_strategy_strategy_candles_t ta_bot_candles;
typedef exports_ta_bot_strategy_strategy_list_candles_t ta_bot_candles_list;
typedef exports_ta_bot_strategy_strategy_option_signal_t ta_bot_option_signal;
typedef exports_ta_bot_strategy_strategy_signal_t ta_bot_signal;
typedef exports_ta_bot_strategy_strategy_fault_t ta_bot_fault;

// Allocates zeroed room for `count` items: zero is "none" for options and "empty" for lists.
static inline void *ta_bot_new(size_t count, size_t size) {
  void *room = calloc(count, size);
  if (!room) abort();
  return room;
}

// A copy that the bindings may free.
static inline ta_bot_string ta_bot_text(const char *text) {
  ta_bot_string copy;
  strategy_module_string_dup(&copy, text);
  return copy;
}

static inline bool ta_bot_is(ta_bot_string text, const char *other) {
  return text.len == strlen(other) && memcmp(text.ptr, other, text.len) == 0;
}

// The value of a parameter, or NULL if it is optional and was not set. The description determines which member of the
// union is filled; the host has checked that.
static inline const ta_bot_value *ta_bot_find(const ta_bot_parameters *parameters, const char *name) {
  for (size_t i = 0; i < parameters->len; i++) {
    if (ta_bot_is(parameters->ptr[i].f0, name)) return &parameters->ptr[i].f1;
  }
  return NULL;
}

static inline ta_bot_value ta_bot_integer(int32_t integer) {
  return (ta_bot_value){.tag = TA_BOT_STRATEGY_TYPES_VALUE_INTEGER, .val.integer = integer};
}

static inline ta_bot_value ta_bot_number(double number) {
  return (ta_bot_value){.tag = TA_BOT_STRATEGY_TYPES_VALUE_NUMBER, .val.number = number};
}

static inline ta_bot_value ta_bot_value_text(const char *text) {
  return (ta_bot_value){.tag = TA_BOT_STRATEGY_TYPES_VALUE_TEXT, .val.text = ta_bot_text(text)};
}

// Writes one line to the host's log; the host copies it before this returns.
static inline void ta_bot_log(ta_bot_strategy_log_level_t level, const char *message) {
  ta_bot_string text;
  strategy_module_string_set(&text, message);
  ta_bot_strategy_log_write(level, &text);
}

#endif
