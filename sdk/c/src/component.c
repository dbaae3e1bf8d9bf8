// Connects the interface of the host, as the generated bindings have it, to the strategy. Only a component has this
// file.
//
// The bindings free whatever they are given, so every text and list that goes to them comes from malloc.
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "strategy_module.h"

void ta_bot_write_line(ta_bot_log_level level, const char *line) {
  strategy_module_string_t text;
  strategy_module_string_set(&text, line);
  ta_bot_strategy_log_write((ta_bot_strategy_log_level_t)level, &text);
}

static strategy_module_string_t to_host(const char *text) {
  strategy_module_string_t copy;
  strategy_module_string_dup(&copy, text);
  return copy;
}

static const char *from_host(strategy_module_string_t text) {
  char *copy = ta_bot_new(text.len + 1, 1);
  memcpy(copy, text.ptr, text.len);
  return copy;
}

static void *list(size_t count, size_t size) {
  void *room = count == 0 ? NULL : calloc(count, size);
  if (!room && count > 0) ta_bot_panic(__FILE__, __LINE__, "no memory for %zu items", count);
  return room;
}

static ta_bot_strategy_types_value_t value_to_host(const ta_bot_value *value) {
  ta_bot_strategy_types_value_t made;
  memset(&made, 0, sizeof made);
  made.tag = (uint8_t)value->kind;
  switch (value->kind) {
    case TA_BOT_KIND_BOOLEAN:
      made.val.boolean = value->boolean;
      break;
    case TA_BOT_KIND_INTEGER:
      made.val.integer = value->integer;
      break;
    case TA_BOT_KIND_NUMBER:
      made.val.number = value->number;
      break;
    default:
      made.val.text = to_host(value->text);
  }
  return made;
}

static ta_bot_value *values_from_host(const exports_ta_bot_strategy_strategy_parameters_t *parameters) {
  ta_bot_value *values = ta_bot_new(parameters->len + 1, sizeof *values);
  for (size_t i = 0; i < parameters->len; i++) {
    const ta_bot_strategy_types_value_t *given = &parameters->ptr[i].f1;
    values[i].name = from_host(parameters->ptr[i].f0);
    values[i].kind = (ta_bot_kind)given->tag;
    switch (values[i].kind) {
      case TA_BOT_KIND_BOOLEAN:
        values[i].boolean = given->val.boolean;
        break;
      case TA_BOT_KIND_INTEGER:
        values[i].integer = given->val.integer;
        break;
      case TA_BOT_KIND_NUMBER:
        values[i].number = given->val.number;
        break;
      default:
        values[i].text = from_host(given->val.text);
    }
  }
  return values;
}

static void describe_parameter(const ta_bot_parameter *entry, ta_bot_strategy_types_parameter_t *made) {
  made->name = to_host(entry->name);
  made->description = to_host(entry->description);
  made->kind = (ta_bot_strategy_types_value_kind_t)entry->kind;
  made->default_.is_some = !entry->optional;
  if (!entry->optional) made->default_.val = value_to_host(&entry->by_default);
  made->min.is_some = entry->bounds.has_min;
  made->min.val = entry->bounds.min;
  made->max.is_some = entry->bounds.has_max;
  made->max.val = entry->bounds.max;
  const char *choices = entry->bounds.choices;
  if (!choices) return;
  size_t count = 1;
  for (const char *at = choices; *at; at++) count += *at == ',';
  made->choices.ptr = list(count, sizeof *made->choices.ptr);
  made->choices.len = count;
  for (size_t i = 0; i < count; i++) {
    size_t length = strcspn(choices, ",");
    made->choices.ptr[i] = to_host(ta_bot_text("%.*s", (int)length, choices));
    choices += length + (choices[length] == ',');
  }
}

static void describe_extra(const ta_bot_input *input, ta_bot_strategy_types_extra_input_t *made) {
  made->symbol.tag = input->symbol ? TA_BOT_STRATEGY_TYPES_INPUT_SYMBOL_FIXED : TA_BOT_STRATEGY_TYPES_INPUT_SYMBOL_OWN;
  if (input->symbol) made->symbol.val.fixed = to_host(input->symbol);
  made->timeframe.tag =
      input->timeframe ? TA_BOT_STRATEGY_TYPES_INPUT_TIMEFRAME_FIXED : TA_BOT_STRATEGY_TYPES_INPUT_TIMEFRAME_NEXT_HIGHER;
  if (input->timeframe) made->timeframe.val.fixed = to_host(input->timeframe);
  made->lookback = input->lookback;
  made->columns = (ta_bot_strategy_types_columns_t)input->columns;
}

void exports_ta_bot_strategy_strategy_describe(exports_ta_bot_strategy_strategy_description_t *ret) {
  const ta_bot_strategy *strategy = &ta_bot_exported;
  const char *mistake = ta_bot_mistake(strategy);
  // There is no other way for this answer to fail.
  if (mistake) ta_bot_panic("ta_bot_exported", 0, "%s", mistake);
  memset(ret, 0, sizeof *ret);
  ret->id = to_host(strategy->id);
  ret->name = to_host(strategy->name);
  ret->version = to_host(strategy->version);
  ret->description = to_host(strategy->description);
  ret->lookback = strategy->lookback;
  ret->columns = (ta_bot_strategy_types_columns_t)strategy->columns;
  size_t count = 0;
  while (strategy->timeframes && strategy->timeframes[count]) count++;
  ret->timeframes.ptr = list(count, sizeof *ret->timeframes.ptr);
  ret->timeframes.len = count;
  for (size_t i = 0; i < count; i++) ret->timeframes.ptr[i] = to_host(strategy->timeframes[i]);
  ret->extra.ptr = list(strategy->extra_count, sizeof *ret->extra.ptr);
  ret->extra.len = strategy->extra_count;
  for (size_t i = 0; i < strategy->extra_count; i++) describe_extra(&strategy->extra[i], &ret->extra.ptr[i]);
  for (count = 0; strategy->parameters[count].name;) count++;
  ret->parameters.ptr = list(count, sizeof *ret->parameters.ptr);
  ret->parameters.len = count;
  for (size_t i = 0; i < count; i++) describe_parameter(&strategy->parameters[i], &ret->parameters.ptr[i]);
}

bool exports_ta_bot_strategy_strategy_check(exports_ta_bot_strategy_strategy_parameters_t *parameters,
                                            strategy_module_string_t *err) {
  const char *problem = NULL;
  ta_bot_read(&ta_bot_exported, values_from_host(parameters), parameters->len, &problem);
  if (problem) *err = to_host(problem);
  return !problem;
}

static ta_bot_data data_of(const exports_ta_bot_strategy_strategy_candles_t *candles) {
  ta_bot_data data = {{{candles->open_time.ptr, candles->open_time.len},
                       {candles->open.ptr, candles->open.len},
                       {candles->high.ptr, candles->high.len},
                       {candles->low.ptr, candles->low.len},
                       {candles->close.ptr, candles->close.len},
                       {candles->volume.ptr, candles->volume.len}}};
  return data;
}

static void signal_to_host(const ta_bot_signal *signal, exports_ta_bot_strategy_strategy_signal_t *made) {
  memset(made, 0, sizeof *made);
  made->action = (ta_bot_strategy_types_action_t)signal->action;
  made->confidence = signal->confidence;
  made->price.is_some = signal->price.is_set;
  made->price.val = signal->price.value;
  made->stop_loss.is_some = signal->stop_loss.is_set;
  made->stop_loss.val = signal->stop_loss.value;
  made->take_profit.is_some = signal->take_profit.is_set;
  made->take_profit.val = signal->take_profit.value;
  made->strength.is_some = signal->strength != TA_BOT_UNSTATED;
  if (made->strength.is_some) made->strength.val = (ta_bot_strategy_types_strength_t)(signal->strength - 1);
  made->rationale.is_some = signal->rationale != NULL;
  if (signal->rationale) made->rationale.val = to_host(signal->rationale);
  made->metadata.ptr = list(signal->metadata_count, sizeof *made->metadata.ptr);
  made->metadata.len = signal->metadata_count;
  for (size_t i = 0; i < signal->metadata_count; i++) {
    made->metadata.ptr[i].f0 = to_host(signal->metadata[i].name);
    made->metadata.ptr[i].f1 = value_to_host(&signal->metadata[i]);
  }
}

bool exports_ta_bot_strategy_strategy_evaluate(exports_ta_bot_strategy_strategy_context_t *context,
                                               exports_ta_bot_strategy_strategy_candles_t *base,
                                               exports_ta_bot_strategy_strategy_list_candles_t *extra,
                                               exports_ta_bot_strategy_strategy_parameters_t *parameters,
                                               exports_ta_bot_strategy_strategy_option_signal_t *ret,
                                               exports_ta_bot_strategy_strategy_fault_t *err) {
  ta_bot_context about = {from_host(context->symbol), from_host(context->timeframe), context->close_time};
  ta_bot_data *further = ta_bot_new(extra->len + 1, sizeof *further);
  for (size_t i = 0; i < extra->len; i++) further[i] = data_of(&extra->ptr[i]);
  ta_bot_answer answer = ta_bot_decide(&ta_bot_exported, &about, data_of(base), further, extra->len,
                                       values_from_host(parameters), parameters->len);
  ret->is_some = answer.kind == TA_BOT_SIGNAL;
  switch (answer.kind) {
    case TA_BOT_NOTHING:
      return true;
    case TA_BOT_SIGNAL:
      signal_to_host(&answer.signal, &ret->val);
      return true;
    case TA_BOT_INSUFFICIENT_DATA:
      err->tag = TA_BOT_STRATEGY_TYPES_FAULT_INSUFFICIENT_DATA;
      err->val.insufficient_data = answer.needed;
      return false;
    case TA_BOT_INVALID_PARAMETERS:
      err->tag = TA_BOT_STRATEGY_TYPES_FAULT_INVALID_PARAMETERS;
      err->val.invalid_parameters = to_host(answer.message);
      return false;
    default:
      err->tag = TA_BOT_STRATEGY_TYPES_FAULT_FAILED;
      err->val.failed = to_host(answer.message ? answer.message : "evaluate returned no answer of the SDK");
      return false;
  }
}
