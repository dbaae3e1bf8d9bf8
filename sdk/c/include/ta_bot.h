// What an author of a TA Bot strategy in C or C++ includes: parameters, window, signals, log. The indicators are in
// ta_bot_indicators.h, the helper for native tests in ta_bot_testing.h, and the README shows how it all goes together.
#ifndef TA_BOT_H
#define TA_BOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
#define TA_BOT_NORETURN [[noreturn]]
#else
#define TA_BOT_NORETURN _Noreturn
#endif
#if defined(__GNUC__)
#define TA_BOT_FORMAT(place, first) __attribute__((format(printf, place, first)))
#else
#define TA_BOT_FORMAT(place, first)
#endif

// Memory. Whatever the SDK returns stays until `ta_bot_release`: a component never needs it, since its instance is
// dropped after the call, and a native test calls it when it is done.

// Zeroed room for `count` items. Does not return if there is no memory.
void *ta_bot_new(size_t count, size_t size);
// A text made as `printf` makes it.
const char *ta_bot_text(const char *format, ...) TA_BOT_FORMAT(1, 2);
// Frees everything that the SDK has returned.
void ta_bot_release(void);

// Series.

// A column or an indicator, oldest first. A missing value is NaN, and a missing range is empty. NaN compares false with
// everything, so a rule gives no signal on short data.
typedef struct {
  const double *values;
  size_t length;
} ta_bot_series;

// The value so many candles before the newest; 0 is the newest. NaN if the series is shorter.
double ta_bot_ago(ta_bot_series series, size_t candles);
// The newest value, or NaN.
double ta_bot_newest(ta_bot_series series);
// The newest `count` values, oldest first, or as many as exist.
ta_bot_series ta_bot_tail(ta_bot_series series, size_t count);
// The values with an age from `start` to below `end`, oldest first: 5 and 20 give fifteen values.
ta_bot_series ta_bot_span(ta_bot_series series, size_t start, size_t end);
// Whether every value is greater, or less, than the one before it.
bool ta_bot_is_rising(ta_bot_series series);
bool ta_bot_is_falling(ta_bot_series series);
// Whether every value is greater, or less, than the other's at the same place.
bool ta_bot_is_above(ta_bot_series series, ta_bot_series other);
bool ta_bot_is_below(ta_bot_series series, ta_bot_series other);
// Whether the newest value is above (below) the other's newest, and the one before was not.
bool ta_bot_crossed_above(ta_bot_series series, ta_bot_series other);
bool ta_bot_crossed_below(ta_bot_series series, ta_bot_series other);

// Candles.

// Columns of candles, to be combined with |.
enum {
  TA_BOT_OPEN_TIME = 1,
  TA_BOT_OPEN = 2,
  TA_BOT_HIGH = 4,
  TA_BOT_LOW = 8,
  TA_BOT_CLOSE = 16,
  TA_BOT_VOLUME = 32,
  TA_BOT_ALL_COLUMNS = 63
};

// Closed candles by column, oldest first. Every declared column has `length` entries, and the others have none.
typedef struct {
  size_t length;
  // When each candle opened, in milliseconds since the Unix epoch.
  ta_bot_series open_time;
  ta_bot_series open, high, low, close;
  // The amount traded in each candle.
  ta_bot_series volume;
} ta_bot_window;

// One candle: a body from open to close, and a shadow on each side of it.
typedef struct {
  double open, high, low, close, volume;
} ta_bot_candle;

// The candle so many before the newest; missing values are NaN, also those of columns that are not declared.
ta_bot_candle ta_bot_candle_ago(const ta_bot_window *window, size_t candles);
double ta_bot_candle_range(ta_bot_candle candle);
double ta_bot_candle_body(ta_bot_candle candle);
double ta_bot_candle_upper_shadow(ta_bot_candle candle);
double ta_bot_candle_lower_shadow(ta_bot_candle candle);
// Whether the candle lies within the range of the one before: a lower high and a higher low.
bool ta_bot_candle_is_inside(ta_bot_candle candle, ta_bot_candle before);

// What is evaluated.
typedef struct {
  const char *symbol;
  const char *timeframe;
  // When the newest base candle closed, in milliseconds since the Unix epoch: the "now" of this evaluation.
  double close_time;
} ta_bot_context;

// Signals.

typedef enum { TA_BOT_BUY, TA_BOT_SELL, TA_BOT_HOLD, TA_BOT_CLOSE_OPEN } ta_bot_action;
// Unstated leaves the strength to the host, which takes medium.
typedef enum { TA_BOT_UNSTATED, TA_BOT_WEAK, TA_BOT_MEDIUM, TA_BOT_STRONG, TA_BOT_EXTREME } ta_bot_strength;

typedef enum { TA_BOT_KIND_BOOLEAN, TA_BOT_KIND_INTEGER, TA_BOT_KIND_NUMBER, TA_BOT_KIND_TEXT } ta_bot_kind;

// A value under a name: a parameter that is given, or a reading. Only the member of its kind counts.
typedef struct {
  const char *name;
  ta_bot_kind kind;
  bool boolean;
  int32_t integer;
  double number;
  const char *text;
} ta_bot_value;

ta_bot_value ta_bot_boolean_value(const char *name, bool boolean);
ta_bot_value ta_bot_integer_value(const char *name, int32_t integer);
ta_bot_value ta_bot_number_value(const char *name, double number);
ta_bot_value ta_bot_text_value(const char *name, const char *text);

// A price that may be left to the host.
typedef struct {
  bool is_set;
  double value;
} ta_bot_level;

typedef struct {
  ta_bot_action action;
  // In [0, 1].
  double confidence;
  // The entry (unset: the newest close), where the trade is given up, and where the profit is taken (unset: the host
  // chooses).
  ta_bot_level price, stop_loss, take_profit;
  ta_bot_strength strength;
  // One sentence, with the numbers, that says why. NULL: none. The host keeps 4 KiB of it.
  const char *rationale;
  // The readings behind the decision. The host keeps 200 bytes of a name, 2 KiB of a text and 16 KiB of all.
  ta_bot_value *metadata;
  size_t metadata_count;
} ta_bot_signal;

// A signal with only an action and a confidence.
ta_bot_signal ta_bot_signal_to(ta_bot_action action, double confidence);
void ta_bot_set(ta_bot_level *level, double price);
// Sets entry, stop, and the target `reward` times as far from the entry as the stop. The target of a sell lies below
// the price, that of any other action above.
void ta_bot_trade(ta_bot_signal *signal, double price, double stop_loss, double reward);
// Sets the rationale, made as `printf` makes it.
void ta_bot_because(ta_bot_signal *signal, const char *format, ...) TA_BOT_FORMAT(2, 3);
// Adds a reading, such as ta_bot_number_value("rsi", now).
void ta_bot_with(ta_bot_signal *signal, ta_bot_value reading);
// The reading of this name as a number; NaN if there is none or it is not a number.
double ta_bot_reading(const ta_bot_signal *signal, const char *name);

typedef enum {
  TA_BOT_NOTHING,
  TA_BOT_SIGNAL,
  TA_BOT_INVALID_PARAMETERS,
  TA_BOT_INSUFFICIENT_DATA,
  TA_BOT_FAILED
} ta_bot_answer_kind;

// What `evaluate` returns: one of the functions below makes it.
typedef struct {
  ta_bot_answer_kind kind;
  ta_bot_signal signal;
  uint32_t needed;
  const char *message;
} ta_bot_answer;

// Nothing to say about this candle.
ta_bot_answer ta_bot_nothing(void);
ta_bot_answer ta_bot_answer_with(ta_bot_signal signal);
// Too few base candles, and how many the rule needs. The host does not count it as a failure.
ta_bot_answer ta_bot_insufficient_data(size_t needed);
ta_bot_answer ta_bot_invalid_parameters(const char *format, ...) TA_BOT_FORMAT(1, 2);
// Anything else.
ta_bot_answer ta_bot_failed(const char *format, ...) TA_BOT_FORMAT(1, 2);

/* Parameters, declared once in a table:

  #define PARAMETERS(P)                                                                     \
    P(integer, period, 14, TA_BOT_BETWEEN(2, 100), "Length of the RSI, in candles.")        \
    P(text, direction, "both", TA_BOT_CHOICES("both,long,short"), "Which signals to give.") \
    P(optional_number, min_volume, TA_BOT_NONE, TA_BOT_AT_LEAST(0), "Least volume, in units of the base asset.")
  TA_BOT_PARAMETERS(PARAMETERS)

makes `struct parameters { int32_t period; const char *direction; ta_bot_optional_number min_volume; }` and the table that
`ta_bot_strategy` asks for, `ta_bot_declared_parameters`. The kinds are boolean, integer, number and text, each with
`optional_` before it if nobody has to set it: then `is_set` says whether somebody has. The sentence is for an operator,
with the unit. A strategy without parameters says TA_BOT_NO_PARAMETERS instead. */

typedef bool ta_bot_boolean;
typedef int32_t ta_bot_integer;
typedef double ta_bot_number;
typedef const char *ta_bot_text_parameter;
typedef struct {
  bool is_set;
  bool value;
} ta_bot_optional_boolean;
typedef struct {
  bool is_set;
  int32_t value;
} ta_bot_optional_integer;
typedef struct {
  bool is_set;
  double value;
} ta_bot_optional_number;
typedef struct {
  bool is_set;
  const char *value;
} ta_bot_optional_text;

typedef struct {
  bool has_min;
  double min;
  bool has_max;
  double max;
  // Separated by commas. NULL: any text.
  const char *choices;
} ta_bot_bounds;

// One declared parameter. Only the table of TA_BOT_PARAMETERS makes them.
typedef struct {
  const char *name;
  ta_bot_kind kind;
  bool optional;
  ta_bot_value by_default;
  // Of the field in `struct parameters`. The entry behind the last has no name, and the size of the struct here.
  size_t offset;
  ta_bot_bounds bounds;
  const char *description;
} ta_bot_parameter;

#define TA_BOT_BETWEEN(least, greatest) {true, least, true, greatest, NULL}
#define TA_BOT_AT_LEAST(least) {true, least, false, 0, NULL}
#define TA_BOT_AT_MOST(greatest) {false, 0, true, greatest, NULL}
#define TA_BOT_CHOICES(texts) {false, 0, false, 0, texts}
#define TA_BOT_ANY {false, 0, false, 0, NULL}
#define TA_BOT_NONE 0

#define TA_BOT_TYPE_boolean ta_bot_boolean
#define TA_BOT_TYPE_integer ta_bot_integer
#define TA_BOT_TYPE_number ta_bot_number
#define TA_BOT_TYPE_text ta_bot_text_parameter
#define TA_BOT_TYPE_optional_boolean ta_bot_optional_boolean
#define TA_BOT_TYPE_optional_integer ta_bot_optional_integer
#define TA_BOT_TYPE_optional_number ta_bot_optional_number
#define TA_BOT_TYPE_optional_text ta_bot_optional_text

#define TA_BOT_IS_boolean(value) TA_BOT_KIND_BOOLEAN, false, {NULL, TA_BOT_KIND_BOOLEAN, value, 0, 0, NULL}
#define TA_BOT_IS_integer(value) TA_BOT_KIND_INTEGER, false, {NULL, TA_BOT_KIND_INTEGER, false, value, 0, NULL}
#define TA_BOT_IS_number(value) TA_BOT_KIND_NUMBER, false, {NULL, TA_BOT_KIND_NUMBER, false, 0, value, NULL}
#define TA_BOT_IS_text(value) TA_BOT_KIND_TEXT, false, {NULL, TA_BOT_KIND_TEXT, false, 0, 0, value}
#define TA_BOT_IS_optional_boolean(none) TA_BOT_KIND_BOOLEAN, true, {NULL, TA_BOT_KIND_BOOLEAN, false, none, 0, NULL}
#define TA_BOT_IS_optional_integer(none) TA_BOT_KIND_INTEGER, true, {NULL, TA_BOT_KIND_INTEGER, false, none, 0, NULL}
#define TA_BOT_IS_optional_number(none) TA_BOT_KIND_NUMBER, true, {NULL, TA_BOT_KIND_NUMBER, false, none, 0, NULL}
#define TA_BOT_IS_optional_text(none) TA_BOT_KIND_TEXT, true, {NULL, TA_BOT_KIND_TEXT, false, none, 0, NULL}

#define TA_BOT_FIELD(kind, name, by_default, bounds, description) TA_BOT_TYPE_##kind name;
#define TA_BOT_ENTRY(kind, name, by_default, bounds, description) \
  {#name, TA_BOT_IS_##kind(by_default), offsetof(struct parameters, name), bounds, description},
#define TA_BOT_PARAMETERS(TABLE)                                    \
  struct parameters {                                               \
    TABLE(TA_BOT_FIELD)                                             \
  };                                                                \
  static const ta_bot_parameter ta_bot_declared_parameters[] = {    \
      TABLE(TA_BOT_ENTRY){NULL, TA_BOT_IS_boolean(false), sizeof(struct parameters), TA_BOT_ANY, NULL}};
#define TA_BOT_NO_PARAMETERS                                     \
  static const ta_bot_parameter ta_bot_declared_parameters[] = { \
      {NULL, TA_BOT_IS_boolean(false), 1, TA_BOT_ANY, NULL}};

// The strategy.

// A further series that a rule reads.
typedef struct {
  // How many candles the rule gets.
  uint32_t lookback;
  // Always this one, such as "1h" or "BTCUSDT". NULL: the timeframe after the evaluated, the evaluated symbol.
  const char *timeframe;
  const char *symbol;
  // The columns that the rule reads of this series. 0: all.
  unsigned columns;
} ta_bot_input;

// Made by TA_BOT_PARAMETERS.
struct parameters;

// What a strategy declares about itself, and its rule.
typedef struct {
  // The name in URLs and metrics: lower case letters, digits and underscores, beginning with a letter.
  const char *id;
  // For people.
  const char *name;
  // The semantic version of the rule.
  const char *version;
  // What the rule does, in a sentence or two.
  const char *description;
  // The number of candles that the rule gets. It gets fewer only if the market has fewer.
  uint32_t lookback;
  // The columns that the rule reads. 0: all.
  unsigned columns;
  // The timeframes that the rule may run on, such as "15m", with NULL at the end. NULL: any.
  const char *const *timeframes;
  // Further series, passed to `evaluate` in this order.
  const ta_bot_input *extra;
  size_t extra_count;
  // The table that TA_BOT_PARAMETERS made.
  const ta_bot_parameter *parameters;
  // Rules between parameters: NULL if all is well, or a text that names the constraint and the values. May be NULL.
  const char *(*check)(const struct parameters *parameters);
  // One decision on one window.
  ta_bot_answer (*evaluate)(const ta_bot_context *context, const ta_bot_window *window, const ta_bot_window *extra,
                            const struct parameters *parameters);
} ta_bot_strategy;

// The strategy of the component. The author defines it.
extern const ta_bot_strategy ta_bot_exported;

// Log, and the end of an evaluation that can't go on.

typedef enum { TA_BOT_DEBUG, TA_BOT_INFO, TA_BOT_WARN, TA_BOT_ERROR } ta_bot_log_level;
// Writes a line to the host's log, natively to the standard error. The host limits their volume.
void ta_bot_log(ta_bot_log_level level, const char *format, ...) TA_BOT_FORMAT(2, 3);
// Logs the place and what is wrong as an error, and stops: the host adds that line to its report.
TA_BOT_NORETURN void ta_bot_panic(const char *file, int line, const char *format, ...) TA_BOT_FORMAT(3, 4);
// Stops unless the condition holds. Unlike `assert`, it says so in the host's log.
#define TA_BOT_ASSERT(condition) \
  ((condition) ? (void)0 : ta_bot_panic(__FILE__, __LINE__, "this does not hold: %s", #condition))

// Numbers as text, the same in every SDK of TA Bot: languages round decimals differently.

// A price: seven significant digits, without trailing zeros.
const char *ta_bot_price(double price);
// A reading, with 0 to 8 decimals; halves are rounded away from 0.
const char *ta_bot_fixed(double value, unsigned decimals);

#ifdef __cplusplus
}
#endif

#endif
