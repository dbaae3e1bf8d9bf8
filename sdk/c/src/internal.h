// What the files of the SDK share with each other.
#ifndef TA_BOT_INTERNAL_H
#define TA_BOT_INTERNAL_H

#include <stdarg.h>

#include "ta_bot.h"

// Columns as the host hands them over, in the order of the flags.
typedef struct {
  ta_bot_series columns[6];
} ta_bot_data;

// A text made as `vprintf` makes it.
const char *ta_bot_text_of(const char *format, va_list arguments);
// Hands a line to the host, or to the standard error.
void ta_bot_write_line(ta_bot_log_level level, const char *line);

// What is wrong with the declaration of a strategy, or NULL.
const char *ta_bot_mistake(const ta_bot_strategy *strategy);
// The struct of the parameters with these values, and the defaults of the others; NULL with `problem` set if a value
// is of the wrong kind, out of range, unknown or given twice, or if the strategy's own check refuses them.
const struct parameters *ta_bot_read(const ta_bot_strategy *strategy, const ta_bot_value *given, size_t count,
                                     const char **problem);
// One decision, as a component makes it.
ta_bot_answer ta_bot_decide(const ta_bot_strategy *strategy, const ta_bot_context *context, ta_bot_data base,
                            const ta_bot_data *extra, size_t extra_count, const ta_bot_value *given, size_t count);

#endif
