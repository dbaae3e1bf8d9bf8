// Momentum: how fast and how one-sidedly the price moves.

import { asSeries } from '../series.js';
import { Adjusted, Smoothing } from './smoothing.js';

export function rsi(close, period) {
  const rises = Smoothing.wilder(period);
  const falls = Smoothing.wilder(period);
  return changes(close, (rise, fall) => {
    const gain = rises.push(rise);
    const loss = falls.push(fall);
    return (100 * gain) / (gain + loss);
  });
}

export function rsiAdjusted(close, period) {
  const rises = new Adjusted(period, 1 / period, period);
  const falls = new Adjusted(period, 1 / period, period);
  return changes(close, (rise, fall) => {
    const gain = rises.push(rise);
    const loss = falls.push(fall);
    return 100 - 100 / (1 + gain / loss);
  });
}

/** A reading of the rise and the fall (without its sign) of each close from the one before; NaN for the first. */
function changes(close, reading) {
  const readings = asSeries(new Array(close.length));
  let previous = NaN;
  for (let index = 0; index < close.length; index++) {
    const change = close[index] - previous;
    previous = close[index];
    readings[index] = reading(change < 0 ? 0 : change, change > 0 ? 0 : -change);
  }
  return readings;
}

export function macd(close, fast, slow, signal) {
  const short = Smoothing.exponential(fast);
  const long = Smoothing.exponential(slow);
  const average = Smoothing.exponential(signal);
  const lines = { line: asSeries([]), signal: asSeries([]), histogram: asSeries([]) };
  let begun = false;
  for (const price of close) {
    const line = short.push(price) - long.push(price);
    begun = begun || line === line;
    const smoothed = begun ? average.push(line) : NaN;
    lines.line.push(line);
    lines.signal.push(smoothed);
    lines.histogram.push(line - smoothed);
  }
  return lines;
}
