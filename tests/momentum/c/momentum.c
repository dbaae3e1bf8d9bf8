// Momentum: the close against the close some candles ago. Buys strength, sells weakness.
//
// The folders beside this one hold the same rule in other languages; all of them give the same numbers.
// A strategy is the three functions at the end of this file. The host makes each evaluation in a fresh instance, so
// static variables never carry anything from one to the next. These functions own their arguments, but do not free
// them: the instance and its memory are dropped after the call.
#include "momentum_bot.h"
#include <stdint.h>
#include <stdio.h>

static const double STOP_DISTANCE = 0.02;
static const double TARGET_DISTANCE = 0.04;

// Formats a fraction as a percentage with two decimals. It rounds to whole hundredths, since languages round decimals
// differently.
static const char *percent(double fraction, char room[32]) {
  double size = fraction < 0.0 ? -fraction : fraction;
  int64_t hundredths = (int64_t)(size * 10000.0 + 0.5);
  snprintf(room, 32, "%s%lld.%02d", fraction < 0.0 ? "-" : "", (long long)(hundredths / 100), (int)(hundredths % 100));
  return room;
}

static ta_bot_parameter parameter(const char *name, const char *description, ta_bot_strategy_types_value_kind_t kind) {
  return (ta_bot_parameter){.name = ta_bot_text(name), .description = ta_bot_text(description), .kind = kind};
}

static void set_default(ta_bot_parameter *parameter, ta_bot_value value) {
  parameter->default_.is_some = true;
  parameter->default_.val = value;
}

static void set_bounds(ta_bot_parameter *parameter, double min, double max) {
  parameter->min.is_some = true;
  parameter->min.val = min;
  parameter->max.is_some = true;
  parameter->max.val = max;
}

// Describes what the strategy is and what it needs, always in the same way. `ret` is not initialized.
void exports_ta_bot_strategy_strategy_describe(ta_bot_description *ret) {
  *ret = (ta_bot_description){
      .id = ta_bot_text("momentum"),
      .name = ta_bot_text("Momentum"),
      .version = ta_bot_text("1.0.0"),
      .description = ta_bot_text("Follows the change of the close over the last candles once it passes a threshold."),
      // The longest period plus the newest candle. Asking only for the columns that are read saves time.
      .lookback = 201,
      .columns = TA_BOT_STRATEGY_TYPES_COLUMNS_CLOSE | TA_BOT_STRATEGY_TYPES_COLUMNS_VOLUME,
      .parameters = {.ptr = ta_bot_new(4, sizeof(ta_bot_parameter)), .len = 4},
  };
  ta_bot_parameter *p = ret->parameters.ptr;

  p[0] = parameter("period", "Candles to look back, a count.", TA_BOT_STRATEGY_TYPES_VALUE_KIND_INTEGER);
  set_default(&p[0], ta_bot_integer(10));
  set_bounds(&p[0], 1.0, 200.0);

  p[1] = parameter("threshold", "Change that is needed, as a fraction: 0.01 is one percent.",
                   TA_BOT_STRATEGY_TYPES_VALUE_KIND_NUMBER);
  set_default(&p[1], ta_bot_number(0.01));
  set_bounds(&p[1], 0.0, 1.0);

  p[2] = parameter("direction", "Which signals to give: both, long (buy only) or short (sell only).",
                   TA_BOT_STRATEGY_TYPES_VALUE_KIND_TEXT);
  set_default(&p[2], ta_bot_value_text("both"));
  p[2].choices.ptr = ta_bot_new(3, sizeof(ta_bot_string));
  p[2].choices.len = 3;
  p[2].choices.ptr[0] = ta_bot_text("both");
  p[2].choices.ptr[1] = ta_bot_text("long");
  p[2].choices.ptr[2] = ta_bot_text("short");

  // Without a default, a parameter is optional: it is passed only if an operator has set it.
  p[3] = parameter("min_volume", "Volume that the newest candle must have, in units of the base asset.",
                   TA_BOT_STRATEGY_TYPES_VALUE_KIND_NUMBER);
}

// Checks the rules between parameters; the host has already checked types, bounds and choices.
// Returns true to accept the parameters. False refuses them, and `err` says why.
bool exports_ta_bot_strategy_strategy_check(ta_bot_parameters *parameters, ta_bot_string *err) {
  double threshold = ta_bot_find(parameters, "threshold")->val.number;
  ta_bot_string direction = ta_bot_find(parameters, "direction")->val.text;
  bool accepted = threshold != 0.0 || !ta_bot_is(direction, "both");
  if (!accepted) {
    *err = ta_bot_text("threshold must be above 0 when direction is both, or every candle gives a signal");
  }
  return accepted;
}

// Makes one decision on one window, oldest candle first. Returning true with `is_some` left false means no signal for
// this candle. False is a fault, and `err` says which.
bool exports_ta_bot_strategy_strategy_evaluate(ta_bot_context *context, ta_bot_candles *base, ta_bot_candles_list *extra,
                                               ta_bot_parameters *parameters, ta_bot_option_signal *ret,
                                               ta_bot_fault *err) {
  (void)extra;
  ret->is_some = false;
  int32_t period = ta_bot_find(parameters, "period")->val.integer;
  double threshold = ta_bot_find(parameters, "threshold")->val.number;
  ta_bot_string direction = ta_bot_find(parameters, "direction")->val.text;
  const ta_bot_value *min_volume = ta_bot_find(parameters, "min_volume");

  if (base->close.len < (size_t)period + 1) {
    err->tag = TA_BOT_STRATEGY_TYPES_FAULT_INSUFFICIENT_DATA;
    err->val.insufficient_data = (uint32_t)period + 1;
    return false;
  }
  size_t newest = base->close.len - 1;
  double close = base->close.ptr[newest];
  double before = base->close.ptr[newest - (size_t)period];
  if (!(before > 0.0)) {
    err->tag = TA_BOT_STRATEGY_TYPES_FAULT_FAILED;
    err->val.failed = ta_bot_text("the close to compare with is not above 0");
    return false;
  }
  double momentum = close / before - 1.0;
  char moved[32], needed[32], line[256];
  percent(momentum, moved);
  percent(threshold, needed);
  snprintf(line, sizeof line, "%.*s %.*s: momentum %s %%", (int)context->symbol.len, (char *)context->symbol.ptr,
           (int)context->timeframe.len, (char *)context->timeframe.ptr, moved);
  ta_bot_log(TA_BOT_STRATEGY_LOG_LEVEL_DEBUG, line);

  if (min_volume && base->volume.ptr[newest] < min_volume->val.number) return true;
  bool buy = momentum > threshold && !ta_bot_is(direction, "short");
  bool sell = momentum < -threshold && !ta_bot_is(direction, "long");
  if (!buy && !sell) return true;

  // The stop of a buy lies below its entry, that of a sell above.
  double side = buy ? 1.0 : -1.0;
  double more = (momentum < 0.0 ? -momentum : momentum) * 10.0;
  snprintf(line, sizeof line, "The close moved by %s %% in %d candles, past the threshold of %s %%.", moved, (int)period,
           needed);
  ta_bot_entry *metadata = ta_bot_new(2, sizeof(ta_bot_entry));
  metadata[0] = (ta_bot_entry){ta_bot_text("momentum"), ta_bot_number(momentum)};
  metadata[1] = (ta_bot_entry){ta_bot_text("period"), ta_bot_integer(period)};
  ret->is_some = true;
  ret->val = (ta_bot_signal){
      .action = buy ? TA_BOT_STRATEGY_TYPES_ACTION_BUY : TA_BOT_STRATEGY_TYPES_ACTION_SELL,
      .confidence = 0.6 + (more < 0.35 ? more : 0.35),
      .stop_loss = {true, close * (1.0 - side * STOP_DISTANCE)},
      .take_profit = {true, close * (1.0 + side * TARGET_DISTANCE)},
      .strength = {true, TA_BOT_STRATEGY_TYPES_STRENGTH_MEDIUM},
      .rationale = {true, ta_bot_text(line)},
      .metadata = {metadata, 2},
  };
  return true;
}
