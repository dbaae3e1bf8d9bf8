// The rule natively, without WebAssembly.
#undef NDEBUG
#include <assert.h>
#include <stdio.h>

#include "ta_bot_testing.h"

int main(void) {
  const double closes[] = {100, 100, 100, 100, 101};
  ta_bot_candles quiet = ta_bot_candles_from_closes(closes, 4), broken = ta_bot_candles_from_closes(closes, 5);
  ta_bot_value period = ta_bot_integer_value("period", 3);
  assert(ta_bot_evaluate(&ta_bot_exported, &quiet, NULL, &period, 1).kind == TA_BOT_NOTHING);

  ta_bot_answer answer = ta_bot_evaluate(&ta_bot_exported, &broken, NULL, &period, 1);
  assert(answer.kind == TA_BOT_SIGNAL && answer.signal.action == TA_BOT_BUY);
  assert(answer.signal.stop_loss.value == 100 && answer.signal.take_profit.value == 103);

  answer = ta_bot_evaluate(&ta_bot_exported, &quiet, NULL, NULL, 0);
  assert(answer.kind == TA_BOT_INSUFFICIENT_DATA && answer.needed == 21);
  ta_bot_release();
  puts("ok");
  return 0;
}
