// The anatomy of one candle, and closed candles by column.

import { failed, insufficientData } from './faults.js';
import { asSeries } from './series.js';
import { suggestion } from './spelling.js';

/** All columns, in the order in which candles have them. */
export const COLUMNS = ['openTime', 'open', 'high', 'low', 'close', 'volume'];

/** One candle, with the names of its parts. */
export class Candle {
  constructor(open, high, low, close, volume) {
    this.open = open;
    this.high = high;
    this.low = low;
    this.close = close;
    this.volume = volume;
  }

  get range() {
    return this.high - this.low;
  }

  get body() {
    return Math.abs(this.close - this.open);
  }

  get upperShadow() {
    return this.high - (this.close > this.open ? this.close : this.open);
  }

  get lowerShadow() {
    return (this.close < this.open ? this.close : this.open) - this.low;
  }

  get isRising() {
    return this.close > this.open;
  }

  get isFalling() {
    return this.close < this.open;
  }

  isInside(before) {
    return this.high < before.high && this.low > before.low;
  }
}

/** Closed candles by column, oldest first. Every declared column has `length` entries. */
export class Window {
  #candles;
  #declared;
  #series;

  constructor(candles, declared, series) {
    this.#candles = candles;
    this.#declared = declared.length > 0 ? declared : COLUMNS;
    this.#series = series;
    this.length = candles[this.#declared[0]].length;
    for (const column of this.#declared) {
      const size = candles[column].length;
      if (size !== this.length) {
        throw failed(`${series}: column ${column} has ${size} entries where ${this.#declared[0]} has ${this.length}`);
      }
    }
  }

  require(...candles) {
    const needed = Math.max(0, ...candles);
    if (!(this.length >= needed)) throw insufficientData(needed);
  }

  column(name) {
    if (!this.#declared.includes(name)) {
      if (!COLUMNS.includes(name)) {
        throw new TypeError(`${name} is no column${suggestion(name, COLUMNS)}: the columns are ${COLUMNS.join(', ')}`);
      }
      const declared = this.#declared.join(', ');
      throw new TypeError(
        `${this.#series}: the column ${name} is read, but not declared: add '${name}' to the columns (${declared})`,
      );
    }
    return asSeries(this.#candles[name]);
  }

  get openTime() {
    return this.column('openTime');
  }

  get open() {
    return this.column('open');
  }

  get high() {
    return this.column('high');
  }

  get low() {
    return this.column('low');
  }

  get close() {
    return this.column('close');
  }

  get volume() {
    return this.column('volume');
  }

  candle(candles) {
    const { open, high, low, close, volume } = this;
    return new Candle(open.ago(candles), high.ago(candles), low.ago(candles), close.ago(candles), volume.ago(candles));
  }
}
