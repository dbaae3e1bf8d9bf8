// Tests a rule natively, without WebAssembly. A test runs the same code as the component: parameters are read and
// checked, only the declared columns are filled, and no more candles are passed than the strategy asks for.

import { COLUMNS, Window } from './candle.js';
import * as evaluation from './evaluation.js';
import { suggestion } from './spelling.js';

const MINUTE = 60_000;

export class Candles {
  constructor() {
    for (const column of COLUMNS) this[column] = [];
  }

  static fromCloses(closes) {
    return Candles.fromRows(
      closes.map((close, index) => {
        const open = closes[Math.max(index - 1, 0)];
        return [open, Math.max(open, close), Math.min(open, close), close, 1];
      }),
    );
  }

  static fromRows(rows) {
    const candles = new Candles();
    for (const row of rows) candles.push(...row);
    return candles;
  }

  push(open, high, low, close, volume) {
    this.openTime.push(this.length * MINUTE);
    this.open.push(open);
    this.high.push(high);
    this.low.push(low);
    this.close.push(close);
    this.volume.push(volume);
  }

  get length() {
    return this.close.length;
  }

  window() {
    return new Window(this, COLUMNS, 'test');
  }

  handedOver(lookback, columns) {
    const start = Math.max(this.length - lookback, 0);
    const fill = (column) => (columns.length === 0 || columns.includes(column) ? this[column].slice(start) : []);
    return Object.fromEntries(COLUMNS.map((column) => [column, fill(column)]));
  }
}

export function evaluate(strategy, candles, parameters = {}, { extra = [], context } = {}) {
  const about = context ?? { symbol: 'BTCUSDT', timeframe: '1m', closeTime: candles.length * MINUTE };
  const handed = extra.map((given, index) => {
    const input = strategy.extra[index] ?? { lookback: 0 };
    return given.handedOver(input.lookback, input.columns ?? []);
  });
  const base = candles.handedOver(strategy.lookback, strategy.columns);
  return evaluation.evaluate(strategy, about, base, handed, named(strategy, parameters));
}

export function check(strategy, parameters = {}) {
  return evaluation.refusal(strategy, named(strategy, parameters));
}

/** The pairs that a host would pass. A test writes the keys of the declaration. */
function named(strategy, parameters) {
  return Object.entries(parameters).map(([key, value]) => {
    const entry = strategy.declaration.find((entry) => entry.key === key);
    const keys = strategy.declaration.map((entry) => entry.key);
    if (!entry) throw new TypeError(`${key} is no parameter${suggestion(key, keys)}: they are ${keys.join(', ')}`);
    return [entry.name, value];
  });
}
