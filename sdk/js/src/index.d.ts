export * as indicators from './indicators.js';

/** A column or an indicator, oldest first. It is an array of numbers, read from its newest end. */
export interface Series extends Array<number> {
  /** The value `candles` before the newest; `ago(0)` is the newest. NaN if the series is shorter. */
  ago(candles: number): number;
  /** The newest value, or NaN. */
  newest(): number;
  /** The newest `count` values, oldest first, or as many as exist. */
  tail(count: number): Series;
  /** The values with an age from `start` to below `end`, oldest first: `span(5, 20)` gives fifteen values. */
  span(start: number, end: number): Series;
  /** Whether every value is greater than the one before it. */
  isRising(): boolean;
  /** Whether every value is less than the one before it. */
  isFalling(): boolean;
  /** Whether every value is greater than the other's at the same place. */
  isAbove(other: readonly number[]): boolean;
  /** Whether every value is less than the other's at the same place. */
  isBelow(other: readonly number[]): boolean;
  /** Whether the newest value is above the other's newest, and the one before was not above. */
  crossedAbove(other: Series): boolean;
  /** Whether the newest value is below the other's newest, and the one before was not below. */
  crossedBelow(other: Series): boolean;
}

/** The name of a column of candles. */
export type Column = 'openTime' | 'open' | 'high' | 'low' | 'close' | 'volume';

/** One candle: a body from open to close, and a shadow on each side of it. */
export interface Candle {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  /** The distance from the lowest to the highest price. */
  readonly range: number;
  /** The distance between open and close, whichever is higher. */
  readonly body: number;
  /** The distance from the body up to the highest price. */
  readonly upperShadow: number;
  /** The distance from the lowest price up to the body. */
  readonly lowerShadow: number;
  /** Whether the candle closed above its open. */
  readonly isRising: boolean;
  /** Whether the candle closed below its open. */
  readonly isFalling: boolean;
  /** Whether the candle lies within the range of the one before: a lower high and a higher low. */
  isInside(before: Candle): boolean;
}

/** Closed candles by column, oldest first. Reading a column that is not declared throws, since it is never filled. */
export interface Window {
  /** The number of candles. */
  readonly length: number;
  /** Requires as many candles as the greatest of these; the host is told how many the rule needs. */
  require(...candles: number[]): void;
  /** A column by its name. */
  column(name: Column): Series;
  /** When each candle opened, in milliseconds since the Unix epoch. */
  readonly openTime: Series;
  /** The first price of each candle. */
  readonly open: Series;
  /** The highest price of each candle. */
  readonly high: Series;
  /** The lowest price of each candle. */
  readonly low: Series;
  /** The last price of each candle. */
  readonly close: Series;
  /** The amount traded in each candle. */
  readonly volume: Series;
  /** The candle `candles` before the newest, NaN throughout if there are fewer. It needs all columns but `openTime`. */
  candle(candles: number): Candle;
}

/** What is evaluated. */
export interface Context {
  /** Such as "BTCUSDT". */
  readonly symbol: string;
  /** Such as "15m". */
  readonly timeframe: string;
  /** When the newest base candle closed, in milliseconds since the Unix epoch: the "now" of this evaluation. */
  readonly closeTime: number;
}

/** A declared parameter whose values are of this type. */
export interface Parameter<T> {
  readonly kind: 'boolean' | 'integer' | 'number' | 'text';
  readonly default: T;
}

/** Inclusive bounds. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/** The values of declared parameters: what `check` and `evaluate` get. */
export type Values<P> = { readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never };

/** Declares parameters: default, sentence for an operator with the unit, bounds. The default undefined: optional. */
export declare const parameter: {
  boolean(byDefault: boolean, description: string): Parameter<boolean>;
  boolean(byDefault: undefined, description: string): Parameter<boolean | undefined>;
  integer(byDefault: number, description: string, bounds?: Bounds): Parameter<number>;
  integer(byDefault: undefined, description: string, bounds?: Bounds): Parameter<number | undefined>;
  number(byDefault: number, description: string, bounds?: Bounds): Parameter<number>;
  number(byDefault: undefined, description: string, bounds?: Bounds): Parameter<number | undefined>;
  text<const C extends string>(
    byDefault: NoInfer<C>,
    description: string,
    bounds: { readonly choices: readonly C[] },
  ): Parameter<C>;
  text<const C extends string>(
    byDefault: undefined,
    description: string,
    bounds: { readonly choices: readonly C[] },
  ): Parameter<C | undefined>;
  text(byDefault: string, description: string): Parameter<string>;
  text(byDefault: undefined, description: string): Parameter<string | undefined>;
};

/** Says which parameter is not below the next one, with the values; undefined if all are in order. */
export function inOrder<P extends object>(parameters: P, ...keys: (keyof P & string)[]): string | undefined;

/** A whole number of 32 bits among the readings: any other number is a float to the host. */
export interface Integer {
  readonly value: number;
}
/** Makes such a number. */
export function integer(value: number): Integer;

export type Action = 'buy' | 'sell' | 'hold' | 'close';
export type Strength = 'weak' | 'medium' | 'strong' | 'extreme';

/** What a signal may say beside its action and its confidence. A field of another name throws. */
export interface Fields {
  /** The entry price. Without one: the newest close. */
  readonly price?: number | undefined;
  /** The price at which the trade is given up. Without one, the host chooses it. */
  readonly stopLoss?: number | undefined;
  /** The price at which the profit is taken. Without one, the host chooses it. */
  readonly takeProfit?: number | undefined;
  /** Without one: medium. */
  readonly strength?: Strength | undefined;
  /** One sentence, with the numbers, that says why. The host keeps 4 KiB of it. */
  readonly rationale?: string | undefined;
  /** The readings behind the decision. */
  readonly metadata?: Readonly<Record<string, number | Integer | boolean | string>> | undefined;
}

/** What a strategy answers. */
export class Signal implements Fields {
  constructor(action: Action, confidence: number, fields?: Fields);
  readonly action: Action;
  /** In [0, 1]. */
  readonly confidence: number;
  readonly price?: number;
  readonly stopLoss?: number;
  readonly takeProfit?: number;
  readonly strength?: Strength;
  readonly rationale?: string;
  readonly metadata: Readonly<Record<string, number | Integer | boolean | string>>;
  /** The same signal with entry, stop, and the target `reward` times as far from the entry as the stop. */
  trade(price: number, stopLoss: number, reward: number): Signal;
  /** The reading of this name as a number; NaN if there is none or it is not a number. */
  number(name: string): number;
}

/** A signal to buy, with a confidence in [0, 1]. */
export function buy(confidence: number, fields?: Fields): Signal;
/** A signal to sell. */
export function sell(confidence: number, fields?: Fields): Signal;
/** A notice without a trade. */
export function hold(confidence: number, fields?: Fields): Signal;
/** A signal to close what is open. */
export function close(confidence: number, fields?: Fields): Signal;

/** A further series that a rule reads. */
export interface Input {
  /** How many candles the rule gets. */
  readonly lookback: number;
  /** Always this timeframe, such as "1h". Without it: the one after the evaluated. */
  readonly timeframe?: string;
  /** Always this symbol, such as "BTCUSDT". Without it: the evaluated. */
  readonly symbol?: string;
  /** The columns that the rule reads of this series. Without them: all. */
  readonly columns?: readonly Column[];
}

/** What a strategy declares about itself, and its rule. */
export interface Definition<P extends Record<string, Parameter<unknown>>> {
  /** The name in URLs and metrics: lower case letters, digits and underscores, beginning with a letter. */
  readonly id: string;
  /** The name for people. */
  readonly name: string;
  /** The semantic version of the rule. */
  readonly version: string;
  /** What the rule does, in a sentence or two. */
  readonly description: string;
  /** The number of candles that the rule gets. It gets fewer only if the market has fewer. */
  readonly lookback: number;
  /** The columns that the rule reads; others can't be read. Without them: all. Each one costs time. */
  readonly columns?: readonly Column[];
  /** The timeframes that the rule may run on, such as "15m". Without them: any. */
  readonly timeframes?: readonly string[];
  /** Further series, passed to `evaluate` in this order. */
  readonly extra?: readonly Input[];
  /** What an operator may set. A key like `trendPeriod` is `trend_period` to the host. */
  readonly parameters?: P;
  /** Rules between parameters: returns undefined, or a text that names the constraint and the values. */
  check?(parameters: Values<P>): string | undefined;
  /** One decision on one window. undefined means no signal for this candle. */
  evaluate(input: {
    readonly context: Context;
    readonly window: Window;
    readonly extra: readonly Window[];
    readonly parameters: Values<P>;
  }): Signal | undefined;
}

/** A sound definition. */
export interface Strategy<P extends Record<string, Parameter<unknown>> = Record<string, Parameter<unknown>>> {
  readonly id: string;
  readonly lookback: number;
  readonly parameters: P;
}

/** Checks a definition; throws a TypeError that names a mistake. A module exports the result by default. */
export function defineStrategy<const P extends Record<string, Parameter<unknown>>>(definition: Definition<P>): Strategy<P>;

/** An evaluation that ends without an answer. Any other error becomes `failed`, with its message and line. */
export class Fault extends Error {
  readonly tag: 'invalid-parameters' | 'insufficient-data' | 'failed';
  readonly val: string | number;
}
/** To throw if there are too few base candles; the number is how many the rule needs. */
export function insufficientData(needed: number): Fault;
/** To throw if the parameters break a rule of the strategy. */
export function invalidParameters(message: string): Fault;
/** To throw for anything else. */
export function failed(message: string): Fault;

/** Lines for the host's log; natively for the standard error. The host limits their volume. */
export declare const log: {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
};

/** A price for a rationale: seven significant digits, without trailing zeros. */
export function price(value: number): string;
/** A reading for a rationale, with 0 to 8 decimals; halves are rounded away from 0. */
export function fixed(value: number, decimals: number): string;
