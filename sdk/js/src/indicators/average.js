// Averages. `ema` and `emaAdjusted` differ only in how they begin.

import { asSeries } from '../series.js';
import { Adjusted, Smoothing, checked } from './smoothing.js';

export function mean(values) {
  if (values.length === 0) return NaN;
  const first = values[0];
  return values.every((value) => value === first) ? first : sumOf(values) / values.length;
}

/** The sum of all terms in eight lanes that are added up at the end, which loses fewer digits than a running sum. */
export function sumOf(terms) {
  const whole = terms.length - (terms.length % 8);
  const lanes = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let at = 0; at < whole; at++) lanes[at % 8] += terms[at];
  const [a, b, c, d, e, f, g, h] = lanes;
  let sum = a + b + (c + d) + (e + f + (g + h));
  for (let at = whole; at < terms.length; at++) sum += terms[at];
  return sum;
}

export function sma(values, period) {
  const averages = asSeries(new Array(values.length).fill(NaN));
  if (checked('period', period) === 0 || values.length < period) return averages;
  // The values are split into blocks of `period`. Each window consists of the end of one block and the beginning of the
  // next, so two partial sums give its sum and nothing is ever subtracted.
  const blockEnd = new Array(period + 1).fill(0);
  let run = 0;
  let begin = 0;
  for (let index = 0; index < values.length; index++) {
    const place = index % period;
    if (place === 0 && index > 0) {
      let sum = 0;
      for (let slot = period - 1; slot >= 0; slot--) {
        sum += values[index - period + slot];
        blockEnd[slot] = sum;
      }
      begin = 0;
    }
    const value = values[index];
    begin += value;
    run = index > 0 && value === values[index - 1] ? run + 1 : 1;
    if (index + 1 >= period) averages[index] = run >= period ? value : (blockEnd[place + 1] + begin) / period;
  }
  return averages;
}

export function ema(values, period) {
  return Smoothing.exponential(period).over(values);
}

export function emaAdjusted(values, period) {
  const average = new Adjusted(period, 2 / (period + 1), Math.max(period - 1, 0));
  return asSeries(Array.from(values, (value) => average.push(value)));
}

export function rma(values, period) {
  return Smoothing.wilder(period).over(values);
}
