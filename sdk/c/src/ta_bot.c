// Memory, series, candles, signals and answers.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

// Blocks are linked to each other, so that a native test can free them.
typedef struct block {
  struct block *before;
  max_align_t start[];
} block;

static block *newest_block = NULL;

void *ta_bot_new(size_t count, size_t size) {
  if (size != 0 && count > (SIZE_MAX - sizeof(block)) / size) ta_bot_panic(__FILE__, __LINE__, "no room for %zu items", count);
  block *made = calloc(1, sizeof(block) + count * size);
  if (!made) ta_bot_panic(__FILE__, __LINE__, "no memory for %zu items of %zu bytes", count, size);
  made->before = newest_block;
  newest_block = made;
  return made->start;
}

void ta_bot_release(void) {
  while (newest_block) {
    block *before = newest_block->before;
    free(newest_block);
    newest_block = before;
  }
}

const char *ta_bot_text_of(const char *format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (length < 0) return format;
  char *text = ta_bot_new((size_t)length + 1, 1);
  vsnprintf(text, (size_t)length + 1, format, arguments);
  return text;
}

const char *ta_bot_text(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const char *text = ta_bot_text_of(format, arguments);
  va_end(arguments);
  return text;
}

void ta_bot_log(ta_bot_log_level level, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  ta_bot_write_line(level, ta_bot_text_of(format, arguments));
  va_end(arguments);
}

void ta_bot_panic(const char *file, int line, const char *format, ...) {
  // No memory is asked for: there may be none left.
  char text[1024];
  const char *name = strrchr(file, '/');
  // A mistake in the declaration has no line.
  int begun = line > 0 ? snprintf(text, sizeof text, "%s, line %d: ", name ? name + 1 : file, line)
                       : snprintf(text, sizeof text, "%s: ", file);
  size_t used = begun < 0 ? 0 : (size_t)begun < sizeof text ? (size_t)begun : sizeof text - 1;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + used, sizeof text - used, format, arguments);
  va_end(arguments);
  ta_bot_write_line(TA_BOT_ERROR, text);
  abort();
}

double ta_bot_ago(ta_bot_series series, size_t candles) {
  return candles < series.length ? series.values[series.length - 1 - candles] : (double)NAN;
}

double ta_bot_newest(ta_bot_series series) { return ta_bot_ago(series, 0); }

ta_bot_series ta_bot_tail(ta_bot_series series, size_t count) { return ta_bot_span(series, 0, count); }

ta_bot_series ta_bot_span(ta_bot_series series, size_t start, size_t end) {
  size_t from = series.length > end ? series.length - end : 0;
  size_t to = series.length > start ? series.length - start : 0;
  ta_bot_series span = {series.values, 0};
  if (from < to) {
    span.values += from;
    span.length = to - from;
  }
  return span;
}

bool ta_bot_is_rising(ta_bot_series series) {
  for (size_t i = 1; i < series.length; i++) {
    if (!(series.values[i] > series.values[i - 1])) return false;
  }
  return true;
}

bool ta_bot_is_falling(ta_bot_series series) {
  for (size_t i = 1; i < series.length; i++) {
    if (!(series.values[i] < series.values[i - 1])) return false;
  }
  return true;
}

bool ta_bot_is_above(ta_bot_series series, ta_bot_series other) {
  if (series.length != other.length) return false;
  for (size_t i = 0; i < series.length; i++) {
    if (!(series.values[i] > other.values[i])) return false;
  }
  return true;
}

bool ta_bot_is_below(ta_bot_series series, ta_bot_series other) { return ta_bot_is_above(other, series); }

bool ta_bot_crossed_above(ta_bot_series series, ta_bot_series other) {
  return ta_bot_ago(series, 1) <= ta_bot_ago(other, 1) && ta_bot_newest(series) > ta_bot_newest(other);
}

bool ta_bot_crossed_below(ta_bot_series series, ta_bot_series other) { return ta_bot_crossed_above(other, series); }

ta_bot_candle ta_bot_candle_ago(const ta_bot_window *window, size_t candles) {
  ta_bot_candle candle = {ta_bot_ago(window->open, candles), ta_bot_ago(window->high, candles),
                          ta_bot_ago(window->low, candles), ta_bot_ago(window->close, candles),
                          ta_bot_ago(window->volume, candles)};
  return candle;
}

double ta_bot_candle_range(ta_bot_candle candle) { return candle.high - candle.low; }

double ta_bot_candle_body(ta_bot_candle candle) { return fabs(candle.close - candle.open); }

double ta_bot_candle_upper_shadow(ta_bot_candle candle) {
  return candle.high - (candle.close > candle.open ? candle.close : candle.open);
}

double ta_bot_candle_lower_shadow(ta_bot_candle candle) {
  return (candle.close < candle.open ? candle.close : candle.open) - candle.low;
}

bool ta_bot_candle_is_inside(ta_bot_candle candle, ta_bot_candle before) {
  return candle.high < before.high && candle.low > before.low;
}

ta_bot_value ta_bot_boolean_value(const char *name, bool boolean) {
  ta_bot_value value = {name, TA_BOT_KIND_BOOLEAN, boolean, 0, 0, NULL};
  return value;
}

ta_bot_value ta_bot_integer_value(const char *name, int32_t integer) {
  ta_bot_value value = {name, TA_BOT_KIND_INTEGER, false, integer, 0, NULL};
  return value;
}

ta_bot_value ta_bot_number_value(const char *name, double number) {
  ta_bot_value value = {name, TA_BOT_KIND_NUMBER, false, 0, number, NULL};
  return value;
}

ta_bot_value ta_bot_text_value(const char *name, const char *text) {
  ta_bot_value value = {name, TA_BOT_KIND_TEXT, false, 0, 0, text};
  return value;
}

ta_bot_signal ta_bot_signal_to(ta_bot_action action, double confidence) {
  ta_bot_signal signal;
  memset(&signal, 0, sizeof signal);
  signal.action = action;
  signal.confidence = confidence;
  return signal;
}

void ta_bot_set(ta_bot_level *level, double price) {
  level->is_set = true;
  level->value = price;
}

void ta_bot_trade(ta_bot_signal *signal, double price, double stop_loss, double reward) {
  double distance = fabs(price - stop_loss) * reward;
  ta_bot_set(&signal->price, price);
  ta_bot_set(&signal->stop_loss, stop_loss);
  ta_bot_set(&signal->take_profit, signal->action == TA_BOT_SELL ? price - distance : price + distance);
}

void ta_bot_because(ta_bot_signal *signal, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  signal->rationale = ta_bot_text_of(format, arguments);
  va_end(arguments);
}

void ta_bot_with(ta_bot_signal *signal, ta_bot_value reading) {
  // The room doubles, so a place is free unless the number of readings is a power of two.
  size_t count = signal->metadata_count;
  if ((count & (count - 1)) == 0) {
    ta_bot_value *room = ta_bot_new(count == 0 ? 1 : 2 * count, sizeof *room);
    if (count > 0) memcpy(room, signal->metadata, count * sizeof *room);
    signal->metadata = room;
  }
  signal->metadata[count] = reading;
  signal->metadata_count = count + 1;
}

double ta_bot_reading(const ta_bot_signal *signal, const char *name) {
  for (size_t i = 0; i < signal->metadata_count; i++) {
    const ta_bot_value *reading = &signal->metadata[i];
    if (strcmp(reading->name, name) != 0) continue;
    if (reading->kind == TA_BOT_KIND_NUMBER) return reading->number;
    if (reading->kind == TA_BOT_KIND_INTEGER) return reading->integer;
  }
  return (double)NAN;
}

static ta_bot_answer answer_of(ta_bot_answer_kind kind, const char *message) {
  ta_bot_answer answer;
  memset(&answer, 0, sizeof answer);
  answer.kind = kind;
  answer.message = message;
  return answer;
}

ta_bot_answer ta_bot_nothing(void) { return answer_of(TA_BOT_NOTHING, NULL); }

ta_bot_answer ta_bot_answer_with(ta_bot_signal signal) {
  ta_bot_answer answer = answer_of(TA_BOT_SIGNAL, NULL);
  answer.signal = signal;
  return answer;
}

ta_bot_answer ta_bot_insufficient_data(size_t needed) {
  ta_bot_answer answer = answer_of(TA_BOT_INSUFFICIENT_DATA, NULL);
  answer.needed = needed > UINT32_MAX ? UINT32_MAX : (uint32_t)needed;
  return answer;
}

ta_bot_answer ta_bot_invalid_parameters(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  ta_bot_answer answer = answer_of(TA_BOT_INVALID_PARAMETERS, ta_bot_text_of(format, arguments));
  va_end(arguments);
  return answer;
}

ta_bot_answer ta_bot_failed(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  ta_bot_answer answer = answer_of(TA_BOT_FAILED, ta_bot_text_of(format, arguments));
  va_end(arguments);
  return answer;
}
