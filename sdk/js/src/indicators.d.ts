import type { Series } from './index.js';

/**
 * Technical indicators over whole columns: those of TA Bot's Rust SDK.
 *
 * A function returns as many values as its shortest input has, oldest first. They are NaN until it has seen enough
 * (the *warm-up*; each function states the index of its first value). Short, empty or broken data therefore gives NaN,
 * and no indicator throws for it. NaN compares false with everything, so a rule that compares readings gives no signal
 * if there are none.
 *
 * Everything is computed from the window alone, since each evaluation runs in a fresh instance. An exponential average
 * therefore depends on its seed: after `k` periods beyond the warm-up, the seed's share has fallen to about `e^-2k` for
 * `ema` and `e^-k` for `rma`.
 *
 * A constant series gives constant averages, bit for bit, so strict comparisons on flat data are safe. A period of 0
 * gives NaN throughout; one that is no whole number is a RangeError.
 */
type Values = readonly number[];

/** The mean of all values, in their unit. NaN for an empty series, and if one of the values is NaN. */
export function mean(values: Values): number;

/**
 * Simple moving average: the mean of the last `period` values, in their unit. First value at index `period - 1`. No
 * running sum is kept, so neither a large value nor NaN leaves a trace once it has left the window.
 */
export function sma(values: Values, period: number): Series;

/**
 * Exponential moving average with the weight `2 / (period + 1)`, seeded with the mean of the first `period` values.
 * First value at index `period - 1`, the seed. NaN is skipped: the average keeps its value, and the next number weighs
 * more.
 */
export function ema(values: Values, period: number): Series;

/**
 * Exponential moving average over the whole window, adjusted for its beginning: weights `(1 - a)^age`,
 * `a = 2 / (period + 1)`, divided by their sum, as `ewm(span=period, adjust=True)` of pandas. First value at index
 * `period - 2` (at least 0). At period 80 it still differs from `ema` by about a thousandth after 250 candles.
 */
export function emaAdjusted(values: Values, period: number): Series;

/**
 * Wilder's moving average: exponential with weight `1 / period`, seeded with the mean of the first `period` values.
 * First value `period - 1` after the first one that is not NaN.
 */
export function rma(values: Values, period: number): Series;

/** The highest value; NaN if there are no values or one of them is NaN. */
export function highest(values: Values): number;

/** The lowest value; NaN if there are no values or one of them is NaN. */
export function lowest(values: Values): number;

/** The middle between the highest high and the lowest low. */
export function midprice(high: Values, low: Values): number;

/** The highest of the last `period` values. First value at index `period - 1`; NaN while any of them is NaN. */
export function rollingMax(values: Values, period: number): Series;

/** The lowest of the last `period` values: see `rollingMax`. */
export function rollingMin(values: Values, period: number): Series;

/**
 * Relative strength index: `100·G / (G + L)`, in points from 0 (only falls) to 100 (only rises). `G` and `L` are
 * Wilder's averages of the rises and of the falls. First value at index `period`. NaN until the price has moved.
 */
export function rsi(close: Values, period: number): Series;

/** Relative strength index whose averages are adjusted for their beginning, as in `emaAdjusted`. */
export function rsiAdjusted(close: Values, period: number): Series;

/** The lines of `macd`, in the unit of the price. */
export interface Macd {
  /** Fast average minus slow average. */
  readonly line: Series;
  /** Average of the line. */
  readonly signal: Series;
  /** Line minus signal. */
  readonly histogram: Series;
}

/**
 * Moving average convergence/divergence: `EMA(fast) - EMA(slow)`, and the line's own EMA. The line begins at index
 * `slow - 1` (or `fast - 1` if that is later); signal and histogram begin `signal - 1` candles after it.
 */
export function macd(close: Values, fast: number, slow: number, signal: number): Macd;

/** The lines of `adx`, in points from 0 to 100. */
export interface Adx {
  /** Average directional movement index. */
  readonly adx: Series;
  /** Positive directional indicator. */
  readonly plusDi: Series;
  /** Negative directional indicator. */
  readonly minusDi: Series;
}

/**
 * Average directional movement index with its directional indicators (Wilder). The indicators begin at index `period`,
 * ADX at `2·period - 1`. On flat data ADX is NaN until there is a movement; after that it keeps its value.
 */
export function adx(high: Values, low: Values, close: Values, period: number): Adx;

/** True range, in the unit of the price. First value at index 1. Flat data gives 2.2e-16 rather than 0. */
export function trueRange(high: Values, low: Values, close: Values): Series;

/** Average true range: Wilder's average of the true range, in the unit of the price. First value at index `period`. */
export function atr(high: Values, low: Values, close: Values, period: number): Series;

/** The population standard deviation of all values. NaN for an empty series; identical values give exactly 0. */
export function standardDeviation(values: Values): number;

/** The population standard deviation of the last `period` values. First value at index `period - 1`. */
export function rollingStandardDeviation(values: Values, period: number): Series;

/** One candle's Bollinger band. */
export class Band {
  constructor(lower: number, middle: number, upper: number);
  /** The mean minus the deviations. */
  readonly lower: number;
  /** The mean. */
  readonly middle: number;
  /** The mean plus the deviations. */
  readonly upper: number;
  /** The distance from the lower to the upper line, as a share of the middle. */
  width(): number;
  /** The position of a price between the lines: 0 on the lower, 1 on the upper. It is 0.5 if the two are equal. */
  position(price: number): number;
}

/** The Bollinger band of exactly these values: `bollingerBand(window.close.tail(20), 2)`. */
export function bollingerBand(values: Values, deviations: number): Band;

/** The lines of `bollinger`, in the unit of the values. */
export interface Bollinger {
  /** The lower band. */
  readonly lower: Series;
  /** The simple moving average. */
  readonly middle: Series;
  /** The upper band. */
  readonly upper: Series;
}

/**
 * Bollinger bands: the simple average of the last `period` values, and the lines `deviations` population standard
 * deviations below and above it. First value at index `period - 1`.
 */
export function bollinger(values: Values, period: number, deviations: number): Bollinger;
