// Reads and checks parameters by the declared table, and checks what a strategy declares.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

// The shortest text of a number that is read as the same.
static const char *shown_number(double number) {
  if (isnan(number)) return "NaN";
  if (isinf(number)) return number > 0 ? "inf" : "-inf";
  for (int digits = 1; digits < 17; digits++) {
    const char *text = ta_bot_text("%.*g", digits, number);
    if (strtod(text, NULL) == number && !strchr(text, 'e')) return text;
  }
  return ta_bot_text("%.17g", number);
}

static const char *shown(const ta_bot_value *value) {
  switch (value->kind) {
    case TA_BOT_KIND_BOOLEAN:
      return value->boolean ? "true" : "false";
    case TA_BOT_KIND_INTEGER:
      return ta_bot_text("%d", (int)value->integer);
    case TA_BOT_KIND_NUMBER:
      return shown_number(value->number);
    default:
      return ta_bot_text("\"%s\"", value->text);
  }
}

// The texts with a space behind each comma.
static const char *listed(const char *choices) {
  const char *list = "";
  while (*choices) {
    size_t length = strcspn(choices, ",");
    bool last = choices[length] == 0;
    list = ta_bot_text("%s%.*s%s", list, (int)length, choices, last ? "" : ", ");
    choices += length + (last ? 0 : 1);
  }
  return list;
}

static const char *wanted(const ta_bot_parameter *entry) {
  switch (entry->kind) {
    case TA_BOT_KIND_BOOLEAN:
      return "true or false";
    case TA_BOT_KIND_INTEGER:
      return "an integer";
    case TA_BOT_KIND_NUMBER:
      return "a number";
    default:
      return entry->bounds.choices ? ta_bot_text("one of %s", listed(entry->bounds.choices)) : "a text";
  }
}

static const char *span(const ta_bot_bounds *bounds) {
  const char *least = shown_number(bounds->min), *greatest = shown_number(bounds->max);
  if (bounds->has_min && bounds->has_max) return ta_bot_text("from %s to %s", least, greatest);
  if (bounds->has_min) return ta_bot_text("at least %s", least);
  return bounds->has_max ? ta_bot_text("at most %s", greatest) : "finite";
}

// Whether the text is one of those that commas separate.
static bool is_chosen(const char *choices, const char *text) {
  size_t length = strlen(text);
  for (const char *at = choices; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
    if (strncmp(at, text, length) == 0 && (at[length] == ',' || at[length] == 0)) return true;
  }
  return false;
}

// What is wrong with a value, or NULL. An integer is a number, too.
static const char *problem_of(const ta_bot_parameter *entry, const ta_bot_value *value) {
  bool widened = entry->kind == TA_BOT_KIND_NUMBER && value->kind == TA_BOT_KIND_INTEGER;
  bool fits = value->kind == entry->kind || widened;
  if (fits && entry->kind == TA_BOT_KIND_TEXT && entry->bounds.choices) fits = is_chosen(entry->bounds.choices, value->text);
  if (!fits) return ta_bot_text("%s = %s must be %s", entry->name, shown(value), wanted(entry));
  if (entry->kind != TA_BOT_KIND_INTEGER && entry->kind != TA_BOT_KIND_NUMBER) return NULL;
  double number = value->kind == TA_BOT_KIND_INTEGER ? value->integer : value->number;
  const ta_bot_bounds *bounds = &entry->bounds;
  bool within = isfinite(number) && !(bounds->has_min && number < bounds->min) && !(bounds->has_max && number > bounds->max);
  return within ? NULL : ta_bot_text("%s = %s must be %s", entry->name, shown(value), span(bounds));
}

// Writes the value into its field. The fields are those of `struct parameters`, by TA_BOT_PARAMETERS.
static void store(const ta_bot_parameter *entry, const ta_bot_value *value, char *parameters) {
  char *field = parameters + entry->offset;
  double number = value->kind == TA_BOT_KIND_INTEGER ? value->integer : value->number;
#define STORE(kind, given)                                    \
  if (entry->optional) {                                      \
    ta_bot_optional_##kind *optional = (void *)field;         \
    optional->is_set = true;                                  \
    optional->value = given;                                  \
  } else {                                                    \
    memcpy(field, &(TA_BOT_TYPE_##kind){given}, sizeof(TA_BOT_TYPE_##kind)); \
  }
  switch (entry->kind) {
    case TA_BOT_KIND_BOOLEAN:
      STORE(boolean, value->boolean)
      break;
    case TA_BOT_KIND_INTEGER:
      STORE(integer, value->integer)
      break;
    case TA_BOT_KIND_NUMBER:
      STORE(number, number)
      break;
    default:
      STORE(text, value->text)
  }
#undef STORE
}

static const ta_bot_parameter *find(const ta_bot_parameter *table, const char *name) {
  while (table->name && strcmp(table->name, name) != 0) table++;
  return table->name ? table : NULL;
}

static const char *names(const ta_bot_parameter *table) {
  const char *names = NULL;
  for (; table->name; table++) names = names ? ta_bot_text("%s, %s", names, table->name) : table->name;
  return names ? names : "none";
}

const struct parameters *ta_bot_read(const ta_bot_strategy *strategy, const ta_bot_value *given, size_t count,
                                     const char **problem) {
  const ta_bot_parameter *end = strategy->parameters;
  while (end->name) end++;
  char *parameters = ta_bot_new(end->offset, 1);
  for (const ta_bot_parameter *entry = strategy->parameters; entry->name; entry++) {
    if (!entry->optional) store(entry, &entry->by_default, parameters);
  }
  for (size_t i = 0; i < count; i++) {
    const ta_bot_parameter *entry = find(strategy->parameters, given[i].name);
    *problem = NULL;
    if (!entry) {
      *problem = ta_bot_text("%s is no parameter of this strategy: its parameters are %s", given[i].name,
                             names(strategy->parameters));
    }
    for (size_t before = 0; before < i && !*problem; before++) {
      if (strcmp(given[before].name, given[i].name) == 0) *problem = ta_bot_text("%s is given twice", given[i].name);
    }
    if (!*problem) *problem = problem_of(entry, &given[i]);
    if (*problem) return NULL;
    store(entry, &given[i], parameters);
  }
  *problem = strategy->check ? strategy->check((const struct parameters *)parameters) : NULL;
  return *problem ? NULL : (const struct parameters *)parameters;
}

static bool is_name(const char *text) {
  if (!text || !(*text >= 'a' && *text <= 'z') || strlen(text) > 64) return false;
  return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

const char *ta_bot_mistake(const ta_bot_strategy *strategy) {
  const char *texts[3][2] = {{"name", strategy->name}, {"version", strategy->version}, {"description", strategy->description}};
  if (!is_name(strategy->id)) {
    return ta_bot_text("id = \"%s\" must be up to 64 lower case letters, digits and underscores, a letter first",
                       strategy->id ? strategy->id : "");
  }
  for (size_t i = 0; i < 3; i++) {
    if (!texts[i][1] || !*texts[i][1]) return ta_bot_text("the strategy %s has no %s", strategy->id, texts[i][0]);
  }
  if (strategy->lookback == 0) return "lookback = 0 must be a number of candles, from 1 on";
  if (strategy->columns > TA_BOT_ALL_COLUMNS) return ta_bot_text("columns = %u must be made of TA_BOT_OPEN and the like", strategy->columns);
  if (!strategy->evaluate) return "the strategy has no evaluate: the rule itself";
  if (!strategy->parameters) return "parameters must be ta_bot_declared_parameters, by TA_BOT_PARAMETERS or TA_BOT_NO_PARAMETERS";
  for (const ta_bot_parameter *entry = strategy->parameters; entry->name; entry++) {
    if (!is_name(entry->name)) return ta_bot_text("the parameter %s must be of lower case letters, digits and underscores", entry->name);
    if (!entry->description || !*entry->description) {
      return ta_bot_text("the parameter %s has no description: a sentence for an operator, with the unit", entry->name);
    }
    const char *problem = entry->optional ? NULL : problem_of(entry, &entry->by_default);
    if (problem) return ta_bot_text("the default of a parameter: %s", problem);
  }
  const char *problem = NULL;
  ta_bot_read(strategy, NULL, 0, &problem);
  return problem ? ta_bot_text("the strategy refuses its own defaults: %s", problem) : NULL;
}
