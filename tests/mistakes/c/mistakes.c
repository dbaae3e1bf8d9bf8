// Makes the mistake that its parameter names. Lines are named in messages, so tests know them: keep them.
#include <math.h>
#include <string.h>

#include "ta_bot.h"

#define PARAMETERS(P) P(text, mistake, "none", TA_BOT_ANY, "Which mistake to make.")
TA_BOT_PARAMETERS(PARAMETERS)

static ta_bot_answer further(const char *mistake) {
  ta_bot_signal signal = ta_bot_signal_to(TA_BOT_BUY, strcmp(mistake, "confidence") == 0 ? 1.5 : 0.7);
  if (strcmp(mistake, "confidence") == 0) return ta_bot_answer_with(signal);
  ta_bot_set(&signal.stop_loss, NAN);
  if (strcmp(mistake, "price") == 0) return ta_bot_answer_with(signal);
  for (volatile bool goes_on = true; goes_on && strcmp(mistake, "endless") == 0;);
  return ta_bot_nothing();
}

static ta_bot_answer evaluate(const ta_bot_context *context, const ta_bot_window *window, const ta_bot_window *extra,
                              const struct parameters *p) {
  (void)context, (void)extra;
  if (strcmp(p->mistake, "evaluate") == 0) {
    TA_BOT_ASSERT(window->length > 9);
  }
  if (strcmp(p->mistake, "answer") == 0) {
    return ta_bot_failed("the ninth candle of %zu is missing", window->length);
  }
  return further(p->mistake);
}

const ta_bot_strategy ta_bot_exported = {
    .id = "mistakes",
    .name = "Mistakes",
    .version = "1.0.0",
    .description = "Makes the mistake that its parameter names.",
    .lookback = 3,
    .columns = TA_BOT_CLOSE,
    .parameters = ta_bot_declared_parameters,
    .evaluate = evaluate,
};
