// Highest and lowest values.

import { asSeries } from '../series.js';
import { checked } from './smoothing.js';

const LARGEST_HALF = Number.MAX_VALUE / 2;

export function highest(values) {
  let best = values.length > 0 ? values[0] : NaN;
  for (const value of values) {
    if (value > best) best = value;
    else if (value !== value) return NaN;
  }
  return best;
}

export function lowest(values) {
  let best = values.length > 0 ? values[0] : NaN;
  for (const value of values) {
    if (value < best) best = value;
    else if (value !== value) return NaN;
  }
  return best;
}

export function midprice(high, low) {
  const top = highest(high);
  const bottom = lowest(low);
  if (Math.abs(top) <= LARGEST_HALF && Math.abs(bottom) <= LARGEST_HALF) return (top + bottom) / 2;
  return top / 2 + bottom / 2;
}

export function rollingMax(values, period) {
  return rolling(values, period, (newer, older) => newer >= older);
}

export function rollingMin(values, period) {
  return rolling(values, period, (newer, older) => newer <= older);
}

function rolling(values, period, replaces) {
  const extremes = asSeries(new Array(values.length).fill(NaN));
  if (checked('period', period) === 0) return extremes;
  // The candidates begin at `head`, best first. A value is dropped when a newer one is at least as good, or by age.
  const candidates = [];
  let head = 0;
  let numbers = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (value !== value) {
      candidates.length = 0;
      head = 0;
      numbers = 0;
      continue;
    }
    while (candidates.length > head && replaces(value, values[candidates[candidates.length - 1]])) candidates.pop();
    candidates.push(index);
    numbers += 1;
    if (candidates[head] + period <= index) head += 1;
    if (numbers >= period) extremes[index] = values[candidates[head]];
  }
  return extremes;
}
