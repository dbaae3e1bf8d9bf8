// Technical indicators over whole columns: those of TA Bot's Rust SDK, with the same names and the same numbers.
//
// A function returns as many values as its shortest input has, oldest first. They are NaN until it has seen enough (the
// warm-up; each function states the index of its first value). Short, empty or broken data therefore gives NaN. NaN
// compares false with everything, so a rule that compares readings gives no signal if there are none.
//
// Everything is computed from the window alone, since each evaluation runs in a fresh instance. An exponential average
// therefore depends on its seed: after k periods beyond the warm-up, the seed's share has fallen to about e^-2k for
// ta_bot_ema and e^-k for ta_bot_rma.
//
// A constant series gives constant averages, bit for bit, so strict comparisons on flat data are safe. A period of 0
// gives NaN throughout. Operations are done in the order of the Rust SDK, so the numbers are equal to it to the bit if
// the compiler does not fuse them: -ffp-contract=off, and no -ffast-math. sdk/conformance holds the answers that the
// tests of each SDK compare with.
#ifndef TA_BOT_INDICATORS_H
#define TA_BOT_INDICATORS_H

#include "ta_bot.h"

#ifdef __cplusplus
extern "C" {
#endif

// The mean of all values, in their unit. NaN for an empty series, and if one of the values is NaN.
double ta_bot_mean(ta_bot_series values);
// Simple moving average: the mean of the last `period` values. First value at index period - 1. No running sum is
// kept, so neither a large value nor NaN leaves a trace once it has left the window.
ta_bot_series ta_bot_sma(ta_bot_series values, size_t period);
// Exponential moving average with the weight 2 / (period + 1), seeded with the mean of the first `period` values. First
// value at index period - 1, the seed. NaN is skipped: the average keeps its value, and the next number weighs more.
ta_bot_series ta_bot_ema(ta_bot_series values, size_t period);
// Exponential moving average over the whole window, adjusted for its beginning: weights (1 - a)^age, a = 2 / (period +
// 1), divided by their sum, as ewm(span=period, adjust=True) of pandas. First value at index period - 2 (at least 0).
ta_bot_series ta_bot_ema_adjusted(ta_bot_series values, size_t period);
// Wilder's moving average: exponential with weight 1 / period, seeded with the mean of the first `period` values. First
// value period - 1 after the first one that is not NaN.
ta_bot_series ta_bot_rma(ta_bot_series values, size_t period);

// The highest and the lowest value; NaN if there are no values or one of them is NaN.
double ta_bot_highest(ta_bot_series values);
double ta_bot_lowest(ta_bot_series values);
// The middle between the highest high and the lowest low.
double ta_bot_midprice(ta_bot_series high, ta_bot_series low);
// The highest and the lowest of the last `period` values: the channel of Donchian. First value at index period - 1; NaN
// while any of the values is NaN.
ta_bot_series ta_bot_rolling_max(ta_bot_series values, size_t period);
ta_bot_series ta_bot_rolling_min(ta_bot_series values, size_t period);

// Relative strength index: 100·G / (G + L), in points from 0 (only falls) to 100 (only rises). G and L are Wilder's
// averages of the rises and of the falls from close to close. First value at index period. NaN until the price has
// moved; if it then stands still, the index keeps its value.
ta_bot_series ta_bot_rsi(ta_bot_series close, size_t period);
// The same with averages that are adjusted for their beginning, as in ta_bot_ema_adjusted.
ta_bot_series ta_bot_rsi_adjusted(ta_bot_series close, size_t period);

// Fast average minus slow average, the average of that line, and line minus signal; in the unit of the price.
typedef struct {
  ta_bot_series line, signal, histogram;
} ta_bot_macd_lines;
// Moving average convergence/divergence. The line begins at index slow - 1 (or fast - 1 if that is later); signal and
// histogram begin signal - 1 candles after it. Flat data gives exactly 0.
ta_bot_macd_lines ta_bot_macd(ta_bot_series close, size_t fast, size_t slow, size_t signal);

// Average directional movement index, and the positive and the negative directional indicator; in points from 0 to 100.
typedef struct {
  ta_bot_series adx, plus_di, minus_di;
} ta_bot_adx_lines;
// Wilder's directional movement. The indicators begin at index period, the index at 2·period - 1. On flat data it is
// NaN until there is a movement; after that it keeps its value.
ta_bot_adx_lines ta_bot_adx(ta_bot_series high, ta_bot_series low, ta_bot_series close, size_t period);

// True range, in the unit of the price. First value at index 1. Flat data gives 2.2e-16 rather than 0.
ta_bot_series ta_bot_true_range(ta_bot_series high, ta_bot_series low, ta_bot_series close);
// Average true range: Wilder's average of the true range. First value at index period.
ta_bot_series ta_bot_atr(ta_bot_series high, ta_bot_series low, ta_bot_series close, size_t period);

// The population standard deviation of all values (divided by their number, not by one less).
double ta_bot_standard_deviation(ta_bot_series values);
// The same of the last `period` values, each computed from scratch. First value at index period - 1.
ta_bot_series ta_bot_rolling_standard_deviation(ta_bot_series values, size_t period);

// One candle's Bollinger band: the mean minus the deviations, the mean, and the mean plus the deviations.
typedef struct {
  double lower, middle, upper;
} ta_bot_band;
// The band of exactly these values: ta_bot_bollinger_band(ta_bot_tail(window->close, 20), 2).
ta_bot_band ta_bot_bollinger_band(ta_bot_series values, double deviations);
// The distance from the lower to the upper line, as a share of the middle.
double ta_bot_band_width(ta_bot_band band);
// The position of a price between the lines: 0 on the lower, 1 on the upper. It is 0.5 if the two are equal.
double ta_bot_band_position(ta_bot_band band, double price);

typedef struct {
  ta_bot_series lower, middle, upper;
} ta_bot_bollinger_lines;
// The simple average of the last `period` values, and the lines `deviations` population standard deviations below and
// above it. First value at index period - 1.
ta_bot_bollinger_lines ta_bot_bollinger(ta_bot_series values, size_t period, double deviations);

#ifdef __cplusplus
}
#endif

#endif
