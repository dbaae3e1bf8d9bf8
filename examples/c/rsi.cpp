// The RSI comes back: buys when it leaves the oversold zone, sells when it leaves the overbought one. In C++.
//
// The folders beside this one hold the same rule in other languages; all of them give the same signals, to the bit.
#include <cmath>
#include <cstring>

#include "ta_bot.h"
#include "ta_bot_indicators.h"

// Operators read these descriptions.
#define PARAMETERS(P)                                                                                        \
  P(integer, period, 14, TA_BOT_BETWEEN(2, 100), "Length of the RSI, in candles.")                           \
  P(number, oversold, 30.0, TA_BOT_BETWEEN(0.0, 100.0), "The RSI has fallen too far below this, in points.") \
  P(number, overbought, 70.0, TA_BOT_BETWEEN(0.0, 100.0), "The RSI has risen too far above this, in points.") \
  P(text, direction, "both", TA_BOT_CHOICES("both,long,short"),                                              \
    "Which signals to give: both, long (buy only) or short (sell only).")
TA_BOT_PARAMETERS(PARAMETERS)

static const char *check(const parameters *p) {
  if (p->oversold < p->overbought) return nullptr;
  return ta_bot_text("oversold = %s must be below overbought = %s", ta_bot_price(p->oversold), ta_bot_price(p->overbought));
}

static ta_bot_answer evaluate(const ta_bot_context *, const ta_bot_window *window, const ta_bot_window *,
                              const parameters *p) {
  const auto period = static_cast<size_t>(p->period);
  if (window->length < period + 2) return ta_bot_insufficient_data(period + 2);
  const ta_bot_series rsi = ta_bot_rsi(window->close, period);
  const double before = ta_bot_ago(rsi, 1), now = ta_bot_newest(rsi);

  const bool buys = before <= p->oversold && now > p->oversold && std::strcmp(p->direction, "short") != 0;
  const bool sells = before >= p->overbought && now < p->overbought && std::strcmp(p->direction, "long") != 0;
  if (!buys && !sells) return ta_bot_nothing();
  const double more = std::fabs(now - before) * 0.01;
  ta_bot_signal signal = ta_bot_signal_to(buys ? TA_BOT_BUY : TA_BOT_SELL, 0.6 + (more < 0.35 ? more : 0.35));
  ta_bot_because(&signal, "The RSI over %d candles %s from %s to %s, past %s.", static_cast<int>(p->period),
                 buys ? "rose" : "fell", ta_bot_fixed(before, 2), ta_bot_fixed(now, 2),
                 ta_bot_fixed(buys ? p->oversold : p->overbought, 2));
  ta_bot_with(&signal, ta_bot_number_value("rsi", now));
  ta_bot_with(&signal, ta_bot_number_value("rsi_before", before));
  ta_bot_with(&signal, ta_bot_integer_value("period", p->period));
  return ta_bot_answer_with(signal);
}

extern const ta_bot_strategy ta_bot_exported = {
    .id = "example_rsi",
    .name = "RSI recovery",
    .version = "1.0.0",
    .description = "Follows the RSI out of the zones in which the price has moved too far.",
    .lookback = 250,
    .columns = TA_BOT_CLOSE,
    .timeframes = nullptr,
    .extra = nullptr,
    .extra_count = 0,
    .parameters = ta_bot_declared_parameters,
    .check = check,
    .evaluate = evaluate,
};
