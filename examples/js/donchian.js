// Donchian's breakout: buys a close above the highest high of the candles before it, sells one below their lowest low.
// The stop is some average true ranges away, so that it is as wide as the market moves.
//
// The folders beside this one hold the same rule in other languages; all of them give the same signals, to the bit.
import { Signal, defineStrategy, fixed, inOrder, indicators, integer, parameter, price } from 'ta-bot-sdk';

export default defineStrategy({
  id: 'example_donchian',
  name: 'Donchian breakout',
  version: '1.0.0',
  description: 'Follows a close beyond the channel of the candles before it, with a stop by ATR.',
  // The longest channel and the candle that leaves it, with some room for the averages.
  lookback: 250,
  columns: ['high', 'low', 'close'],

  // Operators read these descriptions.
  parameters: {
    channel: parameter.integer(20, 'Candles whose highest high and lowest low make the channel, a count.', {
      min: 2,
      max: 200,
    }),
    atrPeriod: parameter.integer(14, 'Length of the ATR, in candles.', { min: 1, max: 50 }),
    stopDistance: parameter.number(2, 'Distance of the stop from the entry, in multiples of the ATR.', {
      min: 0.1,
      max: 10,
    }),
    reward: parameter.number(2, "Distance of the target from the entry, in multiples of the stop's distance.", {
      min: 0.1,
      max: 20,
    }),
    trendPeriod: parameter.integer(
      undefined,
      'Length of the average that a breakout has to be on the right side of, in candles. Unset: no such filter.',
      { min: 3, max: 200 },
    ),
  },

  check(parameters) {
    return inOrder(parameters, 'channel', 'trendPeriod');
  },

  evaluate({ window, parameters }) {
    const { channel, atrPeriod, stopDistance, reward, trendPeriod } = parameters;
    window.require(channel + 1, atrPeriod + 1, trendPeriod ?? 0);
    const close = window.close.newest();
    const high = indicators.highest(window.high.span(1, channel + 1));
    const low = indicators.lowest(window.low.span(1, channel + 1));
    const atr = indicators.atr(window.high, window.low, window.close, atrPeriod).newest();
    const trend = trendPeriod === undefined ? undefined : indicators.ema(window.close, trendPeriod).newest();

    const buys = close > high && (trend === undefined || close > trend);
    const sells = close < low && (trend === undefined || close < trend);
    if (!buys && !sells) return undefined;
    const [level, side] = buys ? [high, 1] : [low, -1];
    const depth = Math.abs(close - level) / atr;
    return new Signal(buys ? 'buy' : 'sell', 0.6 + Math.min(depth * 0.1, 0.35), {
      strength: depth < 1 ? 'medium' : 'strong',
      rationale:
        `The close ${price(close)} is ${buys ? 'above' : 'below'} ${price(level)}, ` +
        `the ${buys ? 'high' : 'low'} of ${channel} candles, by ${fixed(depth, 2)} ATR.`,
      metadata: {
        channel_high: high,
        channel_low: low,
        atr,
        channel: integer(channel),
        ...(trend === undefined ? {} : { trend }),
      },
    }).trade(close, close - side * stopDistance * atr, reward);
  },
});
