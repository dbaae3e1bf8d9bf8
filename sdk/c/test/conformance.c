// Every indicator and text against the answers of the Rust SDK, to the bit: conformance PATH, where PATH is
// sdk/conformance/indicators.json. The file is read by a scanner that knows just what is in it.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ta_bot_indicators.h"

static const char *at;

static void fail(const char *what) {
  fprintf(stderr, "%s: %.60s\n", what, at);
  exit(1);
}

// Goes behind the next occurrence of a text.
static void behind(const char *text) {
  const char *found = strstr(at, text);
  if (!found) fail(text);
  at = found + strlen(text);
}

// The text of a field of this line.
static const char *text_field(const char *name) {
  behind(ta_bot_text("\"%s\": \"", name));
  const char *begin = at;
  behind("\"");
  return ta_bot_text("%.*s", (int)(at - 1 - begin), begin);
}

static ta_bot_series list_field(const char *name) {
  behind(ta_bot_text("\"%s\": [", name));
  size_t count = *at == ']' ? 0 : 1;
  for (const char *c = at; *c != ']'; c++) count += *c == ',';
  double *values = ta_bot_new(count + 1, sizeof *values);
  for (size_t i = 0; i < count; i++) {
    at += strspn(at, ", ");
    if (strncmp(at, "null", 4) == 0) {
      values[i] = NAN;
      at += 4;
    } else {
      values[i] = strtod(at, (char **)&at);
    }
  }
  if (*at != ']') fail("a list does not end");
  ta_bot_series series = {values, count};
  return series;
}

typedef struct {
  const char *name;
  ta_bot_series high, low, close;
} candles;

static ta_bot_series single(double value) {
  double *values = ta_bot_new(1, sizeof *values);
  values[0] = value;
  ta_bot_series series = {values, 1};
  return series;
}

static ta_bot_series of_lines(const char *line, const char *names[3], ta_bot_series first, ta_bot_series second,
                              ta_bot_series third) {
  if (strcmp(line, names[0]) == 0) return first;
  if (strcmp(line, names[1]) == 0) return second;
  if (strcmp(line, names[2]) == 0) return third;
  fail("an unknown line");
  return first;
}

static ta_bot_series of_one_period(const char *name, const candles *of, size_t n) {
  if (strcmp(name, "sma") == 0) return ta_bot_sma(of->close, n);
  if (strcmp(name, "ema") == 0) return ta_bot_ema(of->close, n);
  if (strcmp(name, "ema_adjusted") == 0) return ta_bot_ema_adjusted(of->close, n);
  if (strcmp(name, "rma") == 0) return ta_bot_rma(of->close, n);
  if (strcmp(name, "rsi") == 0) return ta_bot_rsi(of->close, n);
  if (strcmp(name, "rsi_adjusted") == 0) return ta_bot_rsi_adjusted(of->close, n);
  if (strcmp(name, "rolling_max") == 0) return ta_bot_rolling_max(of->high, n);
  if (strcmp(name, "rolling_min") == 0) return ta_bot_rolling_min(of->low, n);
  if (strcmp(name, "rolling_standard_deviation") == 0) return ta_bot_rolling_standard_deviation(of->close, n);
  if (strcmp(name, "atr") == 0) return ta_bot_atr(of->high, of->low, of->close, n);
  if (strcmp(name, "true_range") == 0) return ta_bot_true_range(of->high, of->low, of->close);
  if (strcmp(name, "mean") == 0) return single(ta_bot_mean(of->close));
  if (strcmp(name, "standard_deviation") == 0) return single(ta_bot_standard_deviation(of->close));
  if (strcmp(name, "highest") == 0) return single(ta_bot_highest(of->high));
  if (strcmp(name, "lowest") == 0) return single(ta_bot_lowest(of->low));
  if (strcmp(name, "midprice") == 0) return single(ta_bot_midprice(of->high, of->low));
  fail("an unknown indicator");
  return of->close;
}

static ta_bot_series said(const char *name, const candles *of, ta_bot_series numbers, const char *line) {
  double first = numbers.length > 0 ? numbers.values[0] : 0, second = numbers.length > 1 ? numbers.values[1] : 0;
  if (strcmp(name, "adx") == 0) {
    ta_bot_adx_lines lines = ta_bot_adx(of->high, of->low, of->close, (size_t)first);
    return of_lines(line, (const char *[]){"adx", "plus_di", "minus_di"}, lines.adx, lines.plus_di, lines.minus_di);
  }
  if (strcmp(name, "macd") == 0) {
    ta_bot_macd_lines lines = ta_bot_macd(of->close, (size_t)first, (size_t)second, (size_t)numbers.values[2]);
    return of_lines(line, (const char *[]){"line", "signal", "histogram"}, lines.line, lines.signal, lines.histogram);
  }
  const char *bands[] = {"lower", "middle", "upper"};
  if (strcmp(name, "bollinger") == 0) {
    ta_bot_bollinger_lines lines = ta_bot_bollinger(of->close, (size_t)first, second);
    return of_lines(line, bands, lines.lower, lines.middle, lines.upper);
  }
  if (strcmp(name, "bollinger_band") == 0) {
    ta_bot_band band = ta_bot_bollinger_band(of->close, first);
    if (strcmp(line, "width") == 0) return single(ta_bot_band_width(band));
    if (strcmp(line, "position") == 0) return single(ta_bot_band_position(band, second));
    return of_lines(line, bands, single(band.lower), single(band.middle), single(band.upper));
  }
  return of_one_period(name, of, (size_t)first);
}

// NaN is equal to NaN, and 0 is not -0.
static bool same(double one, double other) {
  return memcmp(&one, &other, sizeof one) == 0 || (isnan(one) && isnan(other));
}

static void read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  char *text = ta_bot_new((size_t)size + 1, 1);
  if (fread(text, 1, (size_t)size, file) != (size_t)size) fail("the file can't be read");
  fclose(file);
  at = text;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  read_file(argv[1]);
  candles every[16];
  size_t count = 0, answers = 0, texts = 0;
  const char *end = strstr(at, "\"answers\"");
  for (const char *next = at; next && next < end && count < 16; next = strstr(at, "{\"name\"")) {
    every[count].name = text_field("name");
    every[count].high = list_field("high");
    every[count].low = list_field("low");
    every[count++].close = list_field("close");
  }
  end = strstr(at, "\"texts\"");
  while (strstr(at, "{\"series\"") && strstr(at, "{\"series\"") < end) {
    const char *series = text_field("series"), *indicator = text_field("indicator");
    ta_bot_series numbers = list_field("numbers");
    const char *line = text_field("line");
    ta_bot_series wanted = list_field("values");
    const candles *of = every;
    while (of < every + count && strcmp(of->name, series) != 0) of++;
    if (of == every + count) fail("an unknown series");
    ta_bot_series made = said(indicator, of, numbers, line);
    if (made.length != wanted.length) fail(ta_bot_text("%s %s of %s: another length, before", indicator, line, series));
    for (size_t i = 0; i < made.length; i++) {
      if (same(made.values[i], wanted.values[i])) continue;
      fprintf(stderr, "%s %s of %s: %.17g at %zu, and should be %.17g\n", indicator, line, series, made.values[i], i,
              wanted.values[i]);
      return 1;
    }
    answers++;
  }
  while (strstr(at, "{\"function\"")) {
    const char *function = text_field("function");
    behind("\"value\": ");
    double value = strtod(at, (char **)&at);
    behind("\"decimals\": ");
    unsigned decimals = (unsigned)strtoul(at, (char **)&at, 10);
    const char *wanted = text_field("text");
    const char *made = strcmp(function, "price") == 0 ? ta_bot_price(value) : ta_bot_fixed(value, decimals);
    if (strcmp(made, wanted) != 0) {
      fprintf(stderr, "%s(%.17g, %u) is %s, and should be %s\n", function, value, decimals, made, wanted);
      return 1;
    }
    texts++;
  }
  if (answers < 200 || texts < 50) fail("too few answers");
  printf("%zu answers and %zu texts agree\n", answers, texts);
  ta_bot_release();
  return 0;
}
