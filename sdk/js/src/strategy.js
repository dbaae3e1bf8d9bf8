// The rule and what it declares about itself.

import { COLUMNS } from './candle.js';
import { declared } from './parameters.js';
import { knownOnly, suggestion } from './spelling.js';

const TEXTS = {
  id: 'the name in URLs and metrics',
  name: 'the name for people',
  version: 'the semantic version of the rule',
  description: 'what the rule does, in a sentence or two',
};
const REST = ['lookback', 'columns', 'timeframes', 'extra', 'parameters', 'check', 'evaluate'];
const INPUT = ['lookback', 'timeframe', 'symbol', 'columns'];

/** A sound definition, with its declaration. Only `defineStrategy` makes one. */
export class Strategy {
  constructor(definition) {
    Object.assign(this, { columns: [], timeframes: [], extra: [], parameters: {} }, definition);
    this.declaration = declared(this.parameters);
    Object.freeze(this);
  }
}

export function defineStrategy(definition) {
  knownOnly('a strategy', definition, [...Object.keys(TEXTS), ...REST]);
  for (const [name, meaning] of Object.entries(TEXTS)) {
    if (typeof definition[name] !== 'string' || definition[name].trim() === '') {
      throw new TypeError(`${name} = ${String(definition[name])} must be a text: ${meaning}`);
    }
  }
  if (!/^[a-z][a-z0-9_]{0,63}$/.test(definition.id)) {
    throw new TypeError(
      `id = ${definition.id} must be up to 64 lower case letters, digits and underscores, a letter first`,
    );
  }
  lookback('lookback', definition.lookback);
  columns('columns', definition.columns ?? []);
  (definition.extra ?? []).forEach((input, index) => {
    knownOnly(`extra[${index}]`, input, INPUT);
    lookback(`extra[${index}].lookback`, input.lookback);
    columns(`extra[${index}].columns`, input.columns ?? []);
  });
  if (typeof definition.evaluate !== 'function') throw new TypeError('evaluate must be a function: the rule itself');
  return new Strategy(definition);
}

function lookback(name, given) {
  if (!Number.isInteger(given) || given < 1) {
    throw new TypeError(`${name} = ${String(given)} must be a number of candles, from 1 on`);
  }
}

function columns(name, given) {
  for (const column of given) {
    if (!COLUMNS.includes(column)) {
      throw new TypeError(`${name} has ${column}${suggestion(column, COLUMNS)}: the columns are ${COLUMNS.join(', ')}`);
    }
  }
}
