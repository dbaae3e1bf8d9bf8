// Trend: whether the price moves in one direction.

import { asSeries } from '../series.js';
import { Smoothing, checked } from './smoothing.js';
import { LEAST_RANGE, trueRangeOf } from './volatility.js';

export function adx(high, low, close, period) {
  const length = Math.min(high.length, low.length, close.length);
  const share = checked('period', period) === 0 ? NaN : 1 / period;
  const plusDi = asSeries(new Array(length).fill(NaN));
  const minusDi = asSeries(new Array(length).fill(NaN));
  const indices = [];
  let [up, down, range] = [0, 0, 0];
  for (let index = 0; index < length; index++) {
    if (index > 0) {
      const fade = index < period ? 0 : share;
      const [rise, fall] = movement(high[index] - high[index - 1], low[index - 1] - low[index]);
      up += rise - up * fade;
      down += fall - down * fade;
      range += trueRangeOf(high[index], low[index], close[index - 1]) - range * fade;
    }
    if (index >= period) {
      plusDi[index] = (100 * up) / range;
      minusDi[index] = (100 * down) / range;
    }
    const [plus, minus] = [plusDi[index], minusDi[index]];
    indices.push((100 * Math.abs(plus - minus)) / (plus + minus));
  }
  return { adx: Smoothing.wilder(period).over(indices), plusDi, minusDi };
}

/** The movement up and the movement down, at least one of which is 0. */
function movement(up, down) {
  if (up > down && up >= LEAST_RANGE) return [up, 0];
  if (down > up && down >= LEAST_RANGE) return [0, down];
  return [0, 0];
}
