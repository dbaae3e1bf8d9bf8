// What a rule sees, what it may answer, and how mistakes are named.
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../src/internal.h"
#include "ta_bot_testing.h"

#define PARAMETERS(P)                                                                      \
  P(integer, period, 14, TA_BOT_BETWEEN(2, 200), "Length of the average, in candles.")     \
  P(number, threshold, 30.5, TA_BOT_AT_LEAST(0), "A threshold, in points.")                \
  P(boolean, verbose, false, TA_BOT_ANY, "Whether to log.")                                \
  P(text, trigger, "cross", TA_BOT_CHOICES("cross,level"), "What counts.")                 \
  P(text, label, "none", TA_BOT_ANY, "A name.")                                            \
  P(optional_number, limit, TA_BOT_NONE, TA_BOT_AT_MOST(240), "A limit, in points.")       \
  P(optional_text, exit, TA_BOT_NONE, TA_BOT_CHOICES("cross,level"), "Another choice.")
TA_BOT_PARAMETERS(PARAMETERS)

static const char *check(const struct parameters *p) {
  return p->limit.is_set && p->limit.value < p->threshold ? ta_bot_text("limit must not be below threshold") : NULL;
}

static ta_bot_answer evaluate(const ta_bot_context *context, const ta_bot_window *window, const ta_bot_window *extra,
                              const struct parameters *p) {
  assert(strcmp(context->symbol, "BTCUSDT") == 0 && window->high.length == 0);
  assert(p->period == 14 && strcmp(p->trigger, "cross") == 0 && !p->verbose && !p->exit.is_set);
  ta_bot_signal signal = ta_bot_signal_to(TA_BOT_SELL, 0.7);
  size_t seen = window->length + 10 * extra[0].volume.length + 100 * extra[1].open_time.length;
  ta_bot_with(&signal, ta_bot_integer_value("seen", (int32_t)seen));
  ta_bot_with(&signal, ta_bot_number_value("limit", p->limit.is_set ? p->limit.value : (double)NAN));
  ta_bot_trade(&signal, 100, 104, 1.5);
  return ta_bot_answer_with(signal);
}

static const ta_bot_input EXTRA[] = {{3, NULL, NULL, TA_BOT_CLOSE | TA_BOT_VOLUME}, {1, "1h", "BTCUSDT", 0}};

const ta_bot_strategy ta_bot_exported = {
    .id = "both",
    .name = "Both",
    .version = "1.2.3",
    .description = "Reads the next higher timeframe and BTCUSDT.",
    .lookback = 2,
    .columns = TA_BOT_CLOSE,
    .extra = EXTRA,
    .extra_count = 2,
    .parameters = ta_bot_declared_parameters,
    .check = check,
    .evaluate = evaluate,
};

static void refused(ta_bot_value value, const char *message) {
  const char *said = ta_bot_check(&ta_bot_exported, &value, 1);
  if (!said || strncmp(said, message, strlen(message)) != 0) {
    fprintf(stderr, "%s: %s\n", said ? said : "accepted", message);
    assert(false);
  }
}

static void mistaken(ta_bot_strategy strategy, const char *message) {
  const char *said = ta_bot_mistake(&strategy);
  assert(said && strncmp(said, message, strlen(message)) == 0);
}

int main(void) {
  const double closes[5] = {10, 10, 10, 10, 10};
  ta_bot_candles made = ta_bot_candles_from_closes(closes, 5);
  ta_bot_candles extra[2] = {made, made};
  ta_bot_value limit = ta_bot_integer_value("limit", 240);
  ta_bot_answer answer = ta_bot_evaluate(&ta_bot_exported, &made, extra, &limit, 1);
  assert(answer.kind == TA_BOT_SIGNAL && ta_bot_reading(&answer.signal, "seen") == 132);
  assert(ta_bot_reading(&answer.signal, "limit") == 240 && answer.signal.take_profit.value == 94);
  answer = ta_bot_evaluate(&ta_bot_exported, &made, NULL, NULL, 0);
  assert(answer.kind == TA_BOT_FAILED && strcmp(answer.message, "0 extra series where 2 are declared") == 0);

  refused(ta_bot_integer_value("period", 1), "period = 1 must be from 2 to 200");
  refused(ta_bot_number_value("period", 14), "period = 14 must be an integer");
  refused(ta_bot_number_value("threshold", -0.5), "threshold = -0.5 must be at least 0");
  refused(ta_bot_number_value("threshold", INFINITY), "threshold = inf must be at least 0");
  refused(ta_bot_number_value("limit", 241), "limit = 241 must be at most 240");
  refused(ta_bot_text_value("verbose", "yes"), "verbose = \"yes\" must be true or false");
  refused(ta_bot_text_value("trigger", "cros"), "trigger = \"cros\" must be one of cross, level");
  refused(ta_bot_integer_value("label", 1), "label = 1 must be a text");
  refused(ta_bot_integer_value("perod", 1), "perod is no parameter of this strategy: its parameters are period, threshold");
  refused(ta_bot_number_value("limit", 30), "limit must not be below threshold");
  assert(!ta_bot_check(&ta_bot_exported, NULL, 0));

  ta_bot_strategy wrong = ta_bot_exported;
  wrong.id = "Bad-Id";
  mistaken(wrong, "id = \"Bad-Id\" must be up to 64 lower case letters");
  wrong.id = "good";
  wrong.lookback = 0;
  mistaken(wrong, "lookback = 0 must be a number of candles");
  wrong.lookback = 1;
  wrong.version = NULL;
  mistaken(wrong, "the strategy good has no version");
  assert(!ta_bot_mistake(&ta_bot_exported));

  const double four[4] = {1, 2, 3, 4};
  ta_bot_series series = {four, 4};
  assert(ta_bot_newest(series) == 4 && ta_bot_ago(series, 3) == 1 && isnan(ta_bot_ago(series, 4)));
  assert(ta_bot_tail(series, 2).values[0] == 3 && ta_bot_span(series, 1, 3).values[0] == 2);
  assert(ta_bot_tail(series, 9).length == 4 && ta_bot_span(series, 5, 9).length == 0 && ta_bot_span(series, 2, 1).length == 0);
  ta_bot_release();
  puts("ok");
  return 0;
}
