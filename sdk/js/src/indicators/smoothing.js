// The recursion behind the exponential averages. It takes one value at a time.

import { asSeries } from '../series.js';

/** The period, if it is one. JavaScript would take a fraction, or a text, without a word. */
export function checked(name, period) {
  if (!Number.isInteger(period) || period < 0) {
    throw new RangeError(`${name} = ${String(period)} must be a whole number from 0 on, in candles`);
  }
  return period;
}

/**
 * An exponential average from its first value on: `y = (1 - a)·y + a·x`. A value that equals the average leaves it
 * untouched, bit for bit. NaN leaves the average as it is, but the next number weighs more: the older values count less
 * by a factor of `1 - a` for each value missed.
 */
export class Smoothing {
  constructor(period, weight, skipLeadingNaN) {
    this.weight = weight;
    this.keep = 1 - weight;
    this.skip = skipLeadingNaN;
    // With a period of 0, the average never begins.
    this.remaining = period > 0 ? period : Infinity;
    this.first = NaN;
    this.constant = true;
    this.sum = 0;
    this.count = 0;
    this.value = NaN;
    this.missed = 0;
  }

  /** The weight is `2 / (period + 1)`, the seed the mean of the first `period` values. */
  static exponential(period) {
    return new Smoothing(checked('period', period), 2 / (period + 1), false);
  }

  /** The weight is `1 / period`, and the seed is counted from the first value that is not NaN. */
  static wilder(period) {
    return new Smoothing(checked('period', period), 1 / period, true);
  }

  push(next) {
    if (this.remaining !== 0) return this.seed(next);
    if (this.missed === 0 && next < Infinity) {
      if (next !== this.value) this.value = this.keep * this.value + this.weight * next;
    } else if (next !== next) {
      this.missed += 1;
    } else {
      this.afterGap(next);
      this.missed = 0;
    }
    return this.value;
  }

  over(values) {
    const averages = asSeries(new Array(values.length));
    for (let index = 0; index < values.length; index++) averages[index] = this.push(values[index]);
    return averages;
  }

  seed(next) {
    if (next !== next) {
      if (this.skip && this.count === 0) return NaN;
    } else {
      if (this.count === 0) this.first = next;
      this.constant = this.constant && next === this.first;
      this.sum += next;
      this.count += 1;
    }
    this.remaining -= 1;
    if (this.remaining !== 0) return NaN;
    this.value = this.constant ? this.first : this.sum / this.count;
    // The value is NaN if all values so far were NaN. The next number then replaces it.
    this.missed = this.value !== this.value ? 1 : 0;
    return this.value;
  }

  /** The average after a number that follows NaN, and after infinity. */
  afterGap(next) {
    if (this.value !== this.value || next === this.value) {
      this.value = next;
      return;
    }
    const keep = power(this.keep, this.missed + 1);
    this.value = (keep * this.value + this.weight * next) / (keep + this.weight);
  }
}

/** A positive whole power, by squaring: the order in which the compilers of the Rust SDK multiply. */
function power(base, exponent) {
  let result = 1;
  for (;;) {
    if (exponent & 1) result *= base;
    exponent >>= 1;
    if (exponent === 0) return result;
    base *= base;
  }
}

/**
 * An exponential average of all values so far, adjusted for its beginning: weights `(1 - a)^age` divided by their sum.
 * NaN carries no weight, but the older values keep ageing.
 */
export class Adjusted {
  /** A value comes from the `needed`th number on; none with a period of 0. */
  constructor(period, weight, needed) {
    this.keep = 1 - weight;
    this.needed = checked('period', period) === 0 ? Infinity : Math.max(needed, 1);
    this.seen = 0;
    this.value = NaN;
    this.weights = 0;
  }

  push(next) {
    this.weights *= this.keep;
    if (next === next) {
      if (this.seen === 0) this.value = next;
      else if (next !== this.value) this.value = (this.weights * this.value + next) / (this.weights + 1);
      this.weights += 1;
      this.seen += 1;
    }
    return this.seen >= this.needed ? this.value : NaN;
  }
}
