// Reads a series from its newest end, which is the one that rules look at. A missing value is NaN, and a missing range
// is empty. NaN compares false with everything, so a rule gives no signal on short data.

/** A column or an indicator, oldest first. It is an array, so `series.at(-1)`, `map` and `slice` work as well. */
export class Series extends Array {
  // What `map` makes of a series is a plain array: it need not hold numbers.
  static get [Symbol.species]() {
    return Array;
  }

  ago(candles) {
    notNegative('candles', candles);
    return candles < this.length ? this[this.length - 1 - candles] : NaN;
  }

  newest() {
    return this.length > 0 ? this[this.length - 1] : NaN;
  }

  tail(count) {
    notNegative('count', count);
    return asSeries(this.slice(Math.max(this.length - count, 0)));
  }

  span(start, end) {
    notNegative('start', start);
    notNegative('end', end);
    return asSeries(this.slice(Math.max(this.length - end, 0), Math.max(this.length - start, 0)));
  }

  isRising() {
    return this.every((value, index) => index === 0 || value > this[index - 1]);
  }

  isFalling() {
    return this.every((value, index) => index === 0 || value < this[index - 1]);
  }

  isAbove(other) {
    return this.length === other.length && this.every((value, index) => value > other[index]);
  }

  isBelow(other) {
    return this.length === other.length && this.every((value, index) => value < other[index]);
  }

  crossedAbove(other) {
    return this.ago(1) <= other.ago(1) && this.newest() > other.newest();
  }

  crossedBelow(other) {
    return other.crossedAbove(this);
  }
}

/** The same array as a series; nothing is copied. */
export function asSeries(array) {
  return Object.setPrototypeOf(array, Series.prototype);
}

function notNegative(name, given) {
  if (!Number.isInteger(given) || given < 0) {
    throw new RangeError(`${name} = ${given} must be a whole number from 0 on: ages are counted back from the newest`);
  }
}
