// Technical indicators. Whatever this file computes is done in the order of the Rust SDK.
#include "ta_bot_indicators.h"

#include <float.h>
#include <math.h>

// Fast mathematics would remove the tests for NaN.
#ifdef __FAST_MATH__
#error "the indicators need NaN: compile without -ffast-math"
#endif

static double *room(size_t length) { return ta_bot_new(length, sizeof(double)); }

static double *blank(size_t length) {
  double *values = room(length);
  for (size_t i = 0; i < length; i++) values[i] = NAN;
  return values;
}

static ta_bot_series series(const double *values, size_t length) {
  ta_bot_series made = {values, length};
  return made;
}

static size_t shorter(size_t one, size_t other) { return one < other ? one : other; }

// The recursion behind the exponential averages, from the first value on: y = (1 - a)·y + a·x. A value that equals the
// average leaves it untouched, bit for bit. NaN leaves the average as it is, but the next number weighs more: the older
// values count less by a factor of 1 - a for each value missed.
typedef struct {
  double weight, keep;
  bool skip_leading_nan, begun, constant;
  size_t remaining, count, missed;
  double first, sum, value;
} smoothing;

static smoothing smooth(size_t period, double weight, bool skip_leading_nan) {
  // With a period of 0, the average never begins.
  smoothing made = {weight, 1 - weight, skip_leading_nan, false, true, period == 0 ? SIZE_MAX : period, 0, 0, NAN, 0, NAN};
  return made;
}

// The weight is 2 / (period + 1), the seed the mean of the first values.
static smoothing exponential(size_t period) { return smooth(period, 2.0 / ((double)period + 1.0), false); }

// The weight is 1 / period, and the seed is counted from the first value that is not NaN.
static smoothing wilder(size_t period) { return smooth(period, 1.0 / (double)period, true); }

static double seed(smoothing *average, double next) {
  if (isnan(next)) {
    if (average->skip_leading_nan && average->count == 0) return NAN;
  } else {
    if (average->count == 0) average->first = next;
    average->constant = average->constant && next == average->first;
    average->sum += next;
    average->count++;
  }
  if (--average->remaining > 0) return NAN;
  average->begun = true;
  average->value = average->constant ? average->first : average->sum / (double)average->count;
  // The value is NaN if all values so far were NaN. The next number then replaces it.
  average->missed = isnan(average->value) ? 1 : 0;
  return average->value;
}

// A positive power by squaring: the order in which the compilers of the Rust SDK multiply.
static double power(double base, size_t exponent) {
  double result = 1;
  for (;;) {
    if (exponent & 1) result *= base;
    exponent >>= 1;
    if (exponent == 0) return result;
    base *= base;
  }
}

// The average after a number that follows NaN, and after infinity.
static double after_gap(const smoothing *average, double next) {
  if (isnan(average->value) || next == average->value) return next;
  double keep = power(average->keep, average->missed + 1);
  return (keep * average->value + average->weight * next) / (keep + average->weight);
}

static double push(smoothing *average, double next) {
  if (!average->begun) return seed(average, next);
  if (average->missed == 0 && next < (double)INFINITY) {
    if (next != average->value) average->value = average->keep * average->value + average->weight * next;
  } else if (isnan(next)) {
    average->missed++;
  } else {
    average->value = after_gap(average, next);
    average->missed = 0;
  }
  return average->value;
}

static ta_bot_series over(smoothing average, ta_bot_series values) {
  double *averages = room(values.length);
  for (size_t i = 0; i < values.length; i++) averages[i] = push(&average, values.values[i]);
  return series(averages, values.length);
}

// An exponential average of all values so far, adjusted for its beginning: weights (1 - a)^age divided by their sum.
// NaN carries no weight, but the older values keep ageing.
typedef struct {
  double keep, value, weights;
  size_t needed, seen;
} adjusted;

static adjusted adjust(size_t period, double weight, size_t needed) {
  adjusted made = {1 - weight, NAN, 0, period == 0 ? SIZE_MAX : needed == 0 ? 1 : needed, 0};
  return made;
}

static double push_adjusted(adjusted *average, double next) {
  average->weights *= average->keep;
  if (!isnan(next)) {
    if (average->seen == 0) {
      average->value = next;
    } else if (next != average->value) {
      average->value = (average->weights * average->value + next) / (average->weights + 1);
    }
    average->weights += 1;
    average->seen++;
  }
  return average->seen >= average->needed ? average->value : (double)NAN;
}

// The sum of the values, or of their squared distances from `middle`, in eight lanes that are added up at the end. This
// loses fewer digits than a running sum.
static double sum_of(ta_bot_series values, const double *middle) {
  double lanes[8] = {0};
  size_t whole = values.length - values.length % 8;
  double sum = 0;
  for (size_t i = 0; i < values.length; i++) {
    double term = values.values[i];
    if (middle) term = (term - *middle) * (term - *middle);
    if (i == whole) sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
    if (i < whole) {
      lanes[i % 8] += term;
    } else {
      sum += term;
    }
  }
  if (whole < values.length) return sum;
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

double ta_bot_mean(ta_bot_series values) {
  if (values.length == 0) return NAN;
  for (size_t i = 0; i < values.length; i++) {
    if (values.values[i] != values.values[0]) return sum_of(values, NULL) / (double)values.length;
  }
  return values.values[0];
}

ta_bot_series ta_bot_sma(ta_bot_series values, size_t period) {
  double *averages = blank(values.length);
  if (period == 0 || values.length < period) return series(averages, values.length);
  // The values are split into blocks of the period. Each window consists of the end of one block and the beginning of
  // the next, so two partial sums give its sum and nothing is ever subtracted.
  double *block_end = room(period + 1);
  size_t run = 0;
  double begin = 0;
  for (size_t i = 0; i < values.length; i++) {
    size_t place = i % period;
    if (place == 0 && i > 0) {
      double sum = 0;
      for (size_t slot = period; slot-- > 0;) {
        sum += values.values[i - period + slot];
        block_end[slot] = sum;
      }
      begin = 0;
    }
    double value = values.values[i];
    begin += value;
    run = i > 0 && value == values.values[i - 1] ? run + 1 : 1;
    if (i + 1 >= period) averages[i] = run >= period ? value : (block_end[place + 1] + begin) / (double)period;
  }
  return series(averages, values.length);
}

ta_bot_series ta_bot_ema(ta_bot_series values, size_t period) { return over(exponential(period), values); }

ta_bot_series ta_bot_ema_adjusted(ta_bot_series values, size_t period) {
  adjusted average = adjust(period, 2.0 / ((double)period + 1.0), period > 0 ? period - 1 : 0);
  double *averages = room(values.length);
  for (size_t i = 0; i < values.length; i++) averages[i] = push_adjusted(&average, values.values[i]);
  return series(averages, values.length);
}

ta_bot_series ta_bot_rma(ta_bot_series values, size_t period) { return over(wilder(period), values); }

double ta_bot_highest(ta_bot_series values) {
  double best = values.length > 0 ? values.values[0] : (double)NAN;
  for (size_t i = 0; i < values.length; i++) {
    if (values.values[i] > best) best = values.values[i];
    else if (isnan(values.values[i])) return NAN;
  }
  return best;
}

double ta_bot_lowest(ta_bot_series values) {
  double best = values.length > 0 ? values.values[0] : (double)NAN;
  for (size_t i = 0; i < values.length; i++) {
    if (values.values[i] < best) best = values.values[i];
    else if (isnan(values.values[i])) return NAN;
  }
  return best;
}

double ta_bot_midprice(ta_bot_series high, ta_bot_series low) {
  double top = ta_bot_highest(high), bottom = ta_bot_lowest(low);
  if (fabs(top) <= DBL_MAX / 2 && fabs(bottom) <= DBL_MAX / 2) return (top + bottom) / 2;
  return top / 2 + bottom / 2;
}

static ta_bot_series rolling(ta_bot_series values, size_t period, bool highest) {
  double *extremes = blank(values.length);
  if (period == 0) return series(extremes, values.length);
  // The candidates begin at `head`, best first. A value is dropped when a newer one is at least as good, or by age.
  size_t *candidates = ta_bot_new(values.length, sizeof *candidates);
  size_t head = 0, end = 0, numbers = 0;
  for (size_t i = 0; i < values.length; i++) {
    double value = values.values[i];
    if (isnan(value)) {
      head = end = numbers = 0;
      continue;
    }
    while (end > head) {
      double older = values.values[candidates[end - 1]];
      if (highest ? value >= older : value <= older) end--;
      else break;
    }
    candidates[end++] = i;
    numbers++;
    if (candidates[head] + period <= i) head++;
    if (numbers >= period) extremes[i] = values.values[candidates[head]];
  }
  return series(extremes, values.length);
}

ta_bot_series ta_bot_rolling_max(ta_bot_series values, size_t period) { return rolling(values, period, true); }

ta_bot_series ta_bot_rolling_min(ta_bot_series values, size_t period) { return rolling(values, period, false); }

// The rise and the fall (without its sign) of a close from the one before; NaN for the first.
static void change(ta_bot_series close, size_t i, double *rise, double *fall) {
  double moved = close.values[i] - (i > 0 ? close.values[i - 1] : (double)NAN);
  *rise = moved < 0 ? 0 : moved;
  *fall = moved > 0 ? 0 : -moved;
}

ta_bot_series ta_bot_rsi(ta_bot_series close, size_t period) {
  smoothing rises = wilder(period), falls = wilder(period);
  double *readings = room(close.length);
  for (size_t i = 0; i < close.length; i++) {
    double rise, fall;
    change(close, i, &rise, &fall);
    double gain = push(&rises, rise), loss = push(&falls, fall);
    readings[i] = 100 * gain / (gain + loss);
  }
  return series(readings, close.length);
}

ta_bot_series ta_bot_rsi_adjusted(ta_bot_series close, size_t period) {
  adjusted rises = adjust(period, 1.0 / (double)period, period), falls = rises;
  double *readings = room(close.length);
  for (size_t i = 0; i < close.length; i++) {
    double rise, fall;
    change(close, i, &rise, &fall);
    double gain = push_adjusted(&rises, rise), loss = push_adjusted(&falls, fall);
    readings[i] = 100 - 100 / (1 + gain / loss);
  }
  return series(readings, close.length);
}

ta_bot_macd_lines ta_bot_macd(ta_bot_series close, size_t fast, size_t slow, size_t signal) {
  smoothing quick = exponential(fast), steady = exponential(slow), average = exponential(signal);
  double *line = blank(close.length), *smoothed = blank(close.length), *histogram = blank(close.length);
  bool begun = false;
  for (size_t i = 0; i < close.length; i++) {
    double quick_now = push(&quick, close.values[i]), steady_now = push(&steady, close.values[i]);
    line[i] = quick_now - steady_now;
    begun = begun || !isnan(line[i]);
    if (!begun) continue;
    smoothed[i] = push(&average, line[i]);
    histogram[i] = line[i] - smoothed[i];
  }
  ta_bot_macd_lines lines = {series(line, close.length), series(smoothed, close.length), series(histogram, close.length)};
  return lines;
}

// The range of a candle whose high and low are equal. With it, a true range can always be a divisor.
static const double LEAST_RANGE = DBL_EPSILON;

static double true_range_of(double high, double low, double previous_close) {
  double range = high - low;
  range = range == 0 ? LEAST_RANGE : fabs(range);
  double above = fabs(high - previous_close), below = fabs(previous_close - low);
  if (above > range) range = above;
  if (below > range) range = below;
  // The comparisons ignore NaN; the sum does not.
  return isnan(above + below) ? (double)NAN : range;
}

ta_bot_series ta_bot_true_range(ta_bot_series high, ta_bot_series low, ta_bot_series close) {
  size_t length = shorter(shorter(high.length, low.length), close.length);
  double *ranges = blank(length);
  for (size_t i = 1; i < length; i++) ranges[i] = true_range_of(high.values[i], low.values[i], close.values[i - 1]);
  return series(ranges, length);
}

ta_bot_series ta_bot_atr(ta_bot_series high, ta_bot_series low, ta_bot_series close, size_t period) {
  return over(wilder(period), ta_bot_true_range(high, low, close));
}

// The sums of movement up, movement down and range, each of which fades as it takes the next.
typedef struct {
  double up, down, range;
} movements;

static void move(movements *sums, double up, double down, double range, double fade) {
  double rise = up > down && up >= LEAST_RANGE ? up : 0, fall = down > up && down >= LEAST_RANGE ? down : 0;
  sums->up += rise - sums->up * fade;
  sums->down += fall - sums->down * fade;
  sums->range += range - sums->range * fade;
}

ta_bot_adx_lines ta_bot_adx(ta_bot_series high, ta_bot_series low, ta_bot_series close, size_t period) {
  size_t length = shorter(shorter(high.length, low.length), close.length);
  double share = period == 0 ? (double)NAN : 1.0 / (double)period;
  double *plus = blank(length), *minus = blank(length), *index = blank(length);
  movements sums = {0, 0, 0};
  for (size_t i = 0; i < length; i++) {
    if (i > 0) {
      double up = high.values[i] - high.values[i - 1], down = low.values[i - 1] - low.values[i];
      double range = true_range_of(high.values[i], low.values[i], close.values[i - 1]);
      move(&sums, up, down, range, i < period ? 0 : share);
    }
    if (i >= period) {
      plus[i] = 100 * sums.up / sums.range;
      minus[i] = 100 * sums.down / sums.range;
    }
    index[i] = 100 * fabs(plus[i] - minus[i]) / (plus[i] + minus[i]);
  }
  ta_bot_adx_lines lines = {over(wilder(period), series(index, length)), series(plus, length), series(minus, length)};
  return lines;
}

static double deviation_from(double middle, ta_bot_series values) {
  return sqrt(sum_of(values, &middle) / (double)values.length);
}

double ta_bot_standard_deviation(ta_bot_series values) { return deviation_from(ta_bot_mean(values), values); }

ta_bot_series ta_bot_rolling_standard_deviation(ta_bot_series values, size_t period) {
  double *deviations = blank(values.length);
  for (size_t end = period; period > 0 && end <= values.length; end++) {
    deviations[end - 1] = ta_bot_standard_deviation(series(values.values + end - period, period));
  }
  return series(deviations, values.length);
}

ta_bot_band ta_bot_bollinger_band(ta_bot_series values, double deviations) {
  double middle = ta_bot_mean(values), width = deviations * deviation_from(middle, values);
  ta_bot_band band = {middle - width, middle, middle + width};
  return band;
}

double ta_bot_band_width(ta_bot_band band) { return (band.upper - band.lower) / band.middle; }

double ta_bot_band_position(ta_bot_band band, double price) {
  double width = band.upper - band.lower;
  return width > 0 ? (price - band.lower) / width : 0.5;
}

ta_bot_bollinger_lines ta_bot_bollinger(ta_bot_series values, size_t period, double deviations) {
  ta_bot_series middle = ta_bot_sma(values, period);
  double *lower = blank(values.length), *upper = blank(values.length);
  for (size_t end = period; period > 0 && end <= values.length; end++) {
    double center = middle.values[end - 1];
    double width = deviations * deviation_from(center, series(values.values + end - period, period));
    lower[end - 1] = center - width;
    upper[end - 1] = center + width;
  }
  ta_bot_bollinger_lines lines = {series(lower, values.length), middle, series(upper, values.length)};
  return lines;
}
