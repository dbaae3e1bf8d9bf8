// Donchian's breakout: buys a close above the highest high of the candles before it, sells one below their lowest low.
// The stop is some average true ranges away, so that it is as wide as the market moves.
//
// The folders beside this one hold the same rule in other languages; all of them give the same signals, to the bit.
#include <math.h>

#include "ta_bot.h"
#include "ta_bot_indicators.h"

// Operators read these descriptions.
#define PARAMETERS(P)                                                                               \
  P(integer, channel, 20, TA_BOT_BETWEEN(2, 200),                                                   \
    "Candles whose highest high and lowest low make the channel, a count.")                         \
  P(integer, atr_period, 14, TA_BOT_BETWEEN(1, 50), "Length of the ATR, in candles.")               \
  P(number, stop_distance, 2.0, TA_BOT_BETWEEN(0.1, 10.0),                                          \
    "Distance of the stop from the entry, in multiples of the ATR.")                                \
  P(number, reward, 2.0, TA_BOT_BETWEEN(0.1, 20.0),                                                 \
    "Distance of the target from the entry, in multiples of the stop's distance.")                  \
  P(optional_integer, trend_period, TA_BOT_NONE, TA_BOT_BETWEEN(3, 200),                            \
    "Length of the average that a breakout has to be on the right side of, in candles. Unset: no such filter.")
TA_BOT_PARAMETERS(PARAMETERS)

static const char *check(const struct parameters *p) {
  if (!p->trend_period.is_set || p->channel < p->trend_period.value) return NULL;
  return ta_bot_text("channel = %d must be below trend_period = %d", (int)p->channel, (int)p->trend_period.value);
}

static size_t most(size_t one, size_t other) { return one > other ? one : other; }

static ta_bot_answer evaluate(const ta_bot_context *context, const ta_bot_window *window, const ta_bot_window *extra,
                              const struct parameters *p) {
  (void)context, (void)extra;
  size_t channel = (size_t)p->channel, atr_period = (size_t)p->atr_period;
  size_t trend_period = p->trend_period.is_set ? (size_t)p->trend_period.value : 0;
  size_t needed = most(channel + 1, most(atr_period + 1, trend_period));
  if (window->length < needed) return ta_bot_insufficient_data(needed);
  double close = ta_bot_newest(window->close);
  double high = ta_bot_highest(ta_bot_span(window->high, 1, channel + 1));
  double low = ta_bot_lowest(ta_bot_span(window->low, 1, channel + 1));
  double atr = ta_bot_newest(ta_bot_atr(window->high, window->low, window->close, atr_period));
  double trend = ta_bot_newest(ta_bot_ema(window->close, trend_period));

  bool buys = close > high && (trend_period == 0 || close > trend);
  bool sells = close < low && (trend_period == 0 || close < trend);
  if (!buys && !sells) return ta_bot_nothing();
  double level = buys ? high : low, side = buys ? 1.0 : -1.0;
  double depth = fabs(close - level) / atr;
  double more = depth * 0.1;
  ta_bot_signal signal = ta_bot_signal_to(buys ? TA_BOT_BUY : TA_BOT_SELL, 0.6 + (more < 0.35 ? more : 0.35));
  ta_bot_trade(&signal, close, close - side * p->stop_distance * atr, p->reward);
  signal.strength = depth < 1.0 ? TA_BOT_MEDIUM : TA_BOT_STRONG;
  ta_bot_because(&signal, "The close %s is %s %s, the %s of %d candles, by %s ATR.", ta_bot_price(close),
                 buys ? "above" : "below", ta_bot_price(level), buys ? "high" : "low", (int)p->channel,
                 ta_bot_fixed(depth, 2));
  ta_bot_with(&signal, ta_bot_number_value("channel_high", high));
  ta_bot_with(&signal, ta_bot_number_value("channel_low", low));
  ta_bot_with(&signal, ta_bot_number_value("atr", atr));
  ta_bot_with(&signal, ta_bot_integer_value("channel", p->channel));
  if (trend_period > 0) ta_bot_with(&signal, ta_bot_number_value("trend", trend));
  return ta_bot_answer_with(signal);
}

const ta_bot_strategy ta_bot_exported = {
    .id = "example_donchian",
    .name = "Donchian breakout",
    .version = "1.0.0",
    .description = "Follows a close beyond the channel of the candles before it, with a stop by ATR.",
    // The longest channel and the candle that leaves it, with some room for the averages.
    .lookback = 250,
    .columns = TA_BOT_HIGH | TA_BOT_LOW | TA_BOT_CLOSE,
    .parameters = ta_bot_declared_parameters,
    .check = check,
    .evaluate = evaluate,
};
