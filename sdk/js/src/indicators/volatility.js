// Volatility: how far the price moves, in either direction.

import { asSeries } from '../series.js';
import { mean, sma, sumOf } from './average.js';
import { Smoothing, checked } from './smoothing.js';

/** The range of a candle whose high and low are equal. With it, a true range can always be a divisor. */
export const LEAST_RANGE = Number.EPSILON;

export function trueRangeOf(high, low, previousClose) {
  let range = high - low;
  range = range === 0 ? LEAST_RANGE : Math.abs(range);
  const above = Math.abs(high - previousClose);
  const below = Math.abs(previousClose - low);
  if (above > range) range = above;
  if (below > range) range = below;
  // The comparisons ignore NaN; the sum does not.
  return Number.isNaN(above + below) ? NaN : range;
}

export function trueRange(high, low, close) {
  const length = Math.min(high.length, low.length, close.length);
  const ranges = asSeries(new Array(length));
  for (let index = 0; index < length; index++) {
    ranges[index] = trueRangeOf(high[index], low[index], index > 0 ? close[index - 1] : NaN);
  }
  return ranges;
}

export function atr(high, low, close, period) {
  return Smoothing.wilder(period).over(trueRange(high, low, close));
}

export function standardDeviation(values) {
  return deviationFrom(mean(values), values);
}

function deviationFrom(middle, values) {
  const squares = sumOf(Array.from(values, (value) => (value - middle) * (value - middle)));
  return Math.sqrt(squares / values.length);
}

export function rollingStandardDeviation(values, period) {
  const deviations = asSeries(new Array(values.length).fill(NaN));
  if (checked('period', period) === 0) return deviations;
  for (let end = period; end <= values.length; end++) {
    deviations[end - 1] = standardDeviation(values.slice(end - period, end));
  }
  return deviations;
}

/** One candle's Bollinger band. */
export class Band {
  constructor(lower, middle, upper) {
    this.lower = lower;
    this.middle = middle;
    this.upper = upper;
  }

  width() {
    return (this.upper - this.lower) / this.middle;
  }

  position(price) {
    const width = this.upper - this.lower;
    return width > 0 ? (price - this.lower) / width : 0.5;
  }
}

export function bollingerBand(values, deviations) {
  const middle = mean(values);
  const width = deviations * deviationFrom(middle, values);
  return new Band(middle - width, middle, middle + width);
}

export function bollinger(values, period, deviations) {
  const middle = sma(values, period);
  const lower = asSeries(middle.slice());
  const upper = asSeries(middle.slice());
  if (period === 0) return { lower, middle, upper };
  for (let end = period; end <= values.length; end++) {
    const width = deviations * deviationFrom(middle[end - 1], values.slice(end - period, end));
    lower[end - 1] = middle[end - 1] - width;
    upper[end - 1] = middle[end - 1] + width;
  }
  return { lower, middle, upper };
}
