// Technical indicators over whole columns: those of TA Bot's Rust SDK, with the same names in JavaScript's spelling and
// the same numbers. indicators.d.ts describes each.
//
// Operations are done in the order of the Rust SDK, so the numbers are equal to it to the bit; sdk/conformance holds
// the answers that the tests of each SDK compare with.

export { ema, emaAdjusted, mean, rma, sma } from './indicators/average.js';
export { highest, lowest, midprice, rollingMax, rollingMin } from './indicators/extremes.js';
export { macd, rsi, rsiAdjusted } from './indicators/momentum.js';
export { adx } from './indicators/trend.js';
export {
  Band,
  atr,
  bollinger,
  bollingerBand,
  rollingStandardDeviation,
  standardDeviation,
  trueRange,
} from './indicators/volatility.js';
