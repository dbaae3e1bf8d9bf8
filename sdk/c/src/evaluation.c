// What the exports of a component do, without the host; the helper for native tests runs the same.
#include "internal.h"

static const char *const COLUMN_NAMES[6] = {"open_time", "open", "high", "low", "close", "volume"};

// The window of some columns. Those that are declared have to be of the same length, and so have others that are there.
static const char *window_of(ta_bot_data data, unsigned declared, const char *name, size_t number, ta_bot_window *window) {
  ta_bot_series filled[6] = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
  if (declared == 0) declared = TA_BOT_ALL_COLUMNS;
  bool begun = false;
  for (size_t i = 0; i < 6; i++) {
    filled[i] = data.columns[i];
    // A host leaves it empty.
    if (!(declared & (1u << i)) && filled[i].length == 0) continue;
    if (begun && filled[i].length != window->length) {
      return ta_bot_text("%s %zu: column %s has %zu entries where another has %zu", name, number, COLUMN_NAMES[i],
                         filled[i].length, window->length);
    }
    begun = true;
    window->length = filled[i].length;
  }
  window->open_time = filled[0];
  window->open = filled[1];
  window->high = filled[2];
  window->low = filled[3];
  window->close = filled[4];
  window->volume = filled[5];
  return NULL;
}

ta_bot_answer ta_bot_decide(const ta_bot_strategy *strategy, const ta_bot_context *context, ta_bot_data base,
                            const ta_bot_data *extra, size_t extra_count, const ta_bot_value *given, size_t count) {
  const char *problem = NULL;
  const struct parameters *parameters = ta_bot_read(strategy, given, count, &problem);
  if (problem) return ta_bot_invalid_parameters("%s", problem);
  ta_bot_window *windows = ta_bot_new(extra_count + 1, sizeof *windows);
  problem = window_of(base, strategy->columns, "series", 0, &windows[0]);
  if (!problem && extra_count != strategy->extra_count) {
    problem = ta_bot_text("%zu extra series where %zu are declared", extra_count, strategy->extra_count);
  }
  for (size_t i = 0; i < extra_count && !problem; i++) {
    problem = window_of(extra[i], strategy->extra[i].columns, "extra", i + 1, &windows[i + 1]);
  }
  if (problem) return ta_bot_failed("%s", problem);
  return strategy->evaluate(context, &windows[0], &windows[1], parameters);
}
