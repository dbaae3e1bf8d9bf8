// Numbers as text, the same in every SDK of TA Bot.
#include <math.h>
#include <string.h>

#include "internal.h"

enum { SIGNIFICANT_DIGITS = 7, MOST_DECIMALS = 8 };

static const char *not_finite(double value) { return isnan(value) ? "NaN" : value > 0 ? "inf" : "-inf"; }

// How many decimals show the significant digits.
static int decimals_of(double size) {
  int decimals = SIGNIFICANT_DIGITS - 1;
  while (size >= 10 && decimals > 0) {
    size /= 10;
    decimals--;
  }
  while (size < 1 && size > 0 && decimals < 20) {
    size *= 10;
    decimals++;
  }
  return decimals;
}

const char *ta_bot_price(double price) {
  if (!isfinite(price)) return not_finite(price);
  char *text = (char *)ta_bot_text("%.*f", decimals_of(fabs(price)), price);
  if (strchr(text, '.')) {
    char *end = text + strlen(text);
    while (end[-1] == '0') end--;
    if (end[-1] == '.') end--;
    *end = 0;
  }
  return text;
}

const char *ta_bot_fixed(double value, unsigned decimals) {
  TA_BOT_ASSERT(decimals <= MOST_DECIMALS);
  if (!isfinite(value)) return not_finite(value);
  uint64_t scale = 1;
  for (unsigned i = 0; i < decimals; i++) scale *= 10;
  double scaled = fabs(value) * (double)scale + 0.5;
  // Beyond 2^53 every number is whole, so decimals would say nothing.
  if (scaled >= 9007199254740992.0) return ta_bot_text("%.0f", trunc(value));
  uint64_t units = (uint64_t)scaled;
  const char *sign = value < 0 && units > 0 ? "-" : "";
  unsigned long long whole = units / scale, part = units % scale;
  if (decimals == 0) return ta_bot_text("%s%llu", sign, whole);
  return ta_bot_text("%s%llu.%0*llu", sign, whole, (int)decimals, part);
}
