// Tests a rule natively, without WebAssembly. A test runs the same code as the component: parameters are read and
// checked, only the declared columns are filled, and no more candles are passed than the strategy asks for.
//
// Compile the strategy, the files of src except component.c, and the test with any C compiler; the test has `main`.
#ifndef TA_BOT_TESTING_H
#define TA_BOT_TESTING_H

#include "ta_bot.h"

#ifdef __cplusplus
extern "C" {
#endif

// Candles made up by a test, one minute apart, oldest first. All zero is none.
typedef struct {
  size_t length;
  double *columns[6];
} ta_bot_candles;

// Each opens at the close before it, its highest and lowest price are those two prices, and its volume is 1.
ta_bot_candles ta_bot_candles_from_closes(const double *closes, size_t count);
void ta_bot_candles_push(ta_bot_candles *candles, double open, double high, double low, double close, double volume);

// Evaluates a strategy as a host would: on the newest of these candles, with these parameters and the defaults of the
// others. `extra` has as many entries as the strategy declares; NULL if it declares none.
ta_bot_answer ta_bot_evaluate(const ta_bot_strategy *strategy, const ta_bot_candles *candles, const ta_bot_candles *extra,
                              const ta_bot_value *given, size_t count);
// What the host would be told about these parameters: NULL, or what is wrong.
const char *ta_bot_check(const ta_bot_strategy *strategy, const ta_bot_value *given, size_t count);

#ifdef __cplusplus
}
#endif

#endif
