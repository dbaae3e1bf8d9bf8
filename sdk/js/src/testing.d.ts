import type { Context, Parameter, Signal, Strategy, Values, Window } from './index.js';

/** Candles made up by a test, one minute apart, oldest first. */
export class Candles {
  /** Each opens at the close before it, its highest and lowest price are those two prices, and its volume is 1. */
  static fromCloses(closes: readonly number[]): Candles;
  /** Candles from rows of open, high, low, close and volume. */
  static fromRows(rows: Iterable<readonly [number, number, number, number, number]>): Candles;
  /** Appends a candle. */
  push(open: number, high: number, low: number, close: number, volume: number): void;
  /** The number of candles. */
  readonly length: number;
  /** All columns of all candles, for calling a rule directly. */
  window(): Window;
}

/**
 * Evaluates a strategy as a host would: on the newest of these candles, with these parameters and the defaults of the
 * others. Throws the fault that the host would be told, and whatever else the rule throws.
 */
export function evaluate<P extends Record<string, Parameter<unknown>>>(
  strategy: Strategy<P>,
  candles: Candles,
  parameters?: Partial<Values<P>>,
  more?: { readonly extra?: readonly Candles[]; readonly context?: Context },
): Signal | undefined;

/** What the host would be told about these parameters: undefined, or what is wrong. */
export function check<P extends Record<string, Parameter<unknown>>>(
  strategy: Strategy<P>,
  parameters?: Partial<Values<P>>,
): string | undefined;
