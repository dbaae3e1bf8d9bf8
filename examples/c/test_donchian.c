// The example natively: the last line of the comment at the head of ta_bot_testing.h says how it is compiled.
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ta_bot_testing.h"

int main(void) {
  double closes[31];
  for (int i = 0; i < 30; i++) closes[i] = 100 + i % 2;
  closes[30] = 103;
  ta_bot_candles quiet = ta_bot_candles_from_closes(closes, 30), broken = ta_bot_candles_from_closes(closes, 31);
  assert(ta_bot_evaluate(&ta_bot_exported, &quiet, NULL, NULL, 0).kind == TA_BOT_NOTHING);

  ta_bot_answer answer = ta_bot_evaluate(&ta_bot_exported, &broken, NULL, NULL, 0);
  assert(answer.kind == TA_BOT_SIGNAL && answer.signal.action == TA_BOT_BUY && answer.signal.price.value == 103);
  assert(ta_bot_reading(&answer.signal, "channel_high") == 101);
  assert(answer.signal.stop_loss.value == 103 - 2 * ta_bot_reading(&answer.signal, "atr"));

  ta_bot_candles few = ta_bot_candles_from_closes(closes, 20);
  answer = ta_bot_evaluate(&ta_bot_exported, &few, NULL, NULL, 0);
  assert(answer.kind == TA_BOT_INSUFFICIENT_DATA && answer.needed == 21);
  ta_bot_value trend = ta_bot_integer_value("trend_period", 20);
  assert(strcmp(ta_bot_check(&ta_bot_exported, &trend, 1), "channel = 20 must be below trend_period = 20") == 0);
  ta_bot_release();
  puts("ok");
  return 0;
}
