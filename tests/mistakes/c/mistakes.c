// Makes the mistake that its parameter names. Lines are named in messages, so tests know them: keep them.
#include <string.h>

#include "ta_bot.h"

#define PARAMETERS(P) P(text, mistake, "none", TA_BOT_ANY, "Which mistake to make.")
TA_BOT_PARAMETERS(PARAMETERS)

static ta_bot_answer evaluate(const ta_bot_context *context, const ta_bot_window *window, const ta_bot_window *extra,
                              const struct parameters *p) {
  (void)context, (void)extra;
  if (strcmp(p->mistake, "evaluate") == 0) {
    TA_BOT_ASSERT(window->length > 9);
  }
  if (strcmp(p->mistake, "answer") == 0) {
    return ta_bot_failed("the ninth candle of %zu is missing", window->length);
  }
  return ta_bot_nothing();
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
