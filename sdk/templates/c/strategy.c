// Buys when a candle closes above the highest high of the candles before it, sells when it closes below their lowest
// low. Make it yours: the README says how.
#include "ta_bot.h"
#include "ta_bot_indicators.h"

// Operators read these descriptions.
#define PARAMETERS(P)                                                                              \
  P(integer, period, 20, TA_BOT_BETWEEN(2, 200), "Candles that make the channel, a count.")        \
  P(number, reward, 2.0, TA_BOT_BETWEEN(0.1, 20.0),                                                \
    "Distance of the target from the entry, in multiples of the stop's distance.")
TA_BOT_PARAMETERS(PARAMETERS)

static ta_bot_answer evaluate(const ta_bot_context *context, const ta_bot_window *window, const ta_bot_window *extra,
                              const struct parameters *p) {
  (void)context, (void)extra;
  size_t period = (size_t)p->period;
  if (window->length < period + 1) return ta_bot_insufficient_data(period + 1);
  double close = ta_bot_newest(window->close);
  double high = ta_bot_highest(ta_bot_span(window->high, 1, period + 1));
  double low = ta_bot_lowest(ta_bot_span(window->low, 1, period + 1));
  bool buys = close > high;
  if (!buys && !(close < low)) return ta_bot_nothing();

  ta_bot_signal signal = ta_bot_signal_to(buys ? TA_BOT_BUY : TA_BOT_SELL, 0.7);
  ta_bot_trade(&signal, close, buys ? low : high, p->reward);
  ta_bot_because(&signal, "The close %s is %s %s, the %s of %d candles.", ta_bot_price(close), buys ? "above" : "below",
                 ta_bot_price(buys ? high : low), buys ? "high" : "low", (int)p->period);
  ta_bot_with(&signal, ta_bot_number_value("channel_high", high));
  ta_bot_with(&signal, ta_bot_number_value("channel_low", low));
  return ta_bot_answer_with(signal);
}

const ta_bot_strategy ta_bot_exported = {
    .id = "my_strategy",
    .name = "My strategy",
    .version = "0.1.0",
    .description = "Follows a close beyond the channel of the candles before it.",
    .lookback = 201,
    .columns = TA_BOT_HIGH | TA_BOT_LOW | TA_BOT_CLOSE,
    .parameters = ta_bot_declared_parameters,
    .evaluate = evaluate,
};
