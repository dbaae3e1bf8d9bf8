// The helper for native tests, and what a component has instead of the standard error.
#include "ta_bot_testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static const double MINUTE = 60000.0;

void ta_bot_write_line(ta_bot_log_level level, const char *line) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  fprintf(stderr, "%s: %s\n", names[level], line);
}

ta_bot_candles ta_bot_candles_from_closes(const double *closes, size_t count) {
  ta_bot_candles candles;
  memset(&candles, 0, sizeof candles);
  for (size_t i = 0; i < count; i++) {
    double open = closes[i > 0 ? i - 1 : 0];
    ta_bot_candles_push(&candles, open, fmax(open, closes[i]), fmin(open, closes[i]), closes[i], 1);
  }
  return candles;
}

void ta_bot_candles_push(ta_bot_candles *candles, double open, double high, double low, double close, double volume) {
  const double row[6] = {(double)candles->length * MINUTE, open, high, low, close, volume};
  size_t length = candles->length;
  for (size_t i = 0; i < 6; i++) {
    // The room doubles, as that of readings.
    if ((length & (length - 1)) == 0) {
      double *room = ta_bot_new(length == 0 ? 1 : 2 * length, sizeof *room);
      if (length > 0) memcpy(room, candles->columns[i], length * sizeof *room);
      candles->columns[i] = room;
    }
    candles->columns[i][length] = row[i];
  }
  candles->length = length + 1;
}

// The newest candles with the declared columns, as a host passes them.
static ta_bot_data handed_over(const ta_bot_candles *candles, uint32_t lookback, unsigned columns) {
  ta_bot_data data;
  memset(&data, 0, sizeof data);
  for (size_t i = 0; i < 6; i++) {
    ta_bot_series all = {candles->columns[i], candles->length};
    if (columns == 0 || columns & (1u << i)) data.columns[i] = ta_bot_tail(all, lookback);
  }
  return data;
}

ta_bot_answer ta_bot_evaluate(const ta_bot_strategy *strategy, const ta_bot_candles *candles, const ta_bot_candles *extra,
                              const ta_bot_value *given, size_t count) {
  const char *mistake = ta_bot_mistake(strategy);
  if (mistake) ta_bot_panic(__FILE__, __LINE__, "%s", mistake);
  ta_bot_context context = {"BTCUSDT", "1m", (double)candles->length * MINUTE};
  size_t extra_count = extra ? strategy->extra_count : 0;
  ta_bot_data *further = ta_bot_new(extra_count + 1, sizeof *further);
  for (size_t i = 0; i < extra_count; i++) {
    further[i] = handed_over(&extra[i], strategy->extra[i].lookback, strategy->extra[i].columns);
  }
  ta_bot_data base = handed_over(candles, strategy->lookback, strategy->columns);
  return ta_bot_decide(strategy, &context, base, further, extra_count, given, count);
}

const char *ta_bot_check(const ta_bot_strategy *strategy, const ta_bot_value *given, size_t count) {
  const char *problem = NULL;
  ta_bot_read(strategy, given, count, &problem);
  return problem;
}
