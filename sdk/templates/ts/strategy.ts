// Buys when a candle closes above the highest high of the candles before it, sells when it closes below their lowest
// low. Make it yours: the README says how.
import { Signal, defineStrategy, indicators, parameter, price } from 'ta-bot-sdk';

export default defineStrategy({
  id: 'my_strategy',
  name: 'My strategy',
  version: '0.1.0',
  description: 'Follows a close beyond the channel of the candles before it.',
  lookback: 201,
  columns: ['high', 'low', 'close'],

  // Operators read these descriptions. The types of the parameters follow from them.
  parameters: {
    period: parameter.integer(20, 'Candles that make the channel, a count.', { min: 2, max: 200 }),
    reward: parameter.number(2, "Distance of the target from the entry, in multiples of the stop's distance.", {
      min: 0.1,
      max: 20,
    }),
  },

  evaluate({ window, parameters: { period, reward } }) {
    window.require(period + 1);
    const close = window.close.newest();
    const high = indicators.highest(window.high.span(1, period + 1));
    const low = indicators.lowest(window.low.span(1, period + 1));
    const metadata = { channel_high: high, channel_low: low };
    if (close > high) {
      const rationale = `The close ${price(close)} is above ${price(high)}, the high of ${period} candles.`;
      return new Signal('buy', 0.7, { rationale, metadata }).trade(close, low, reward);
    }
    if (close < low) {
      const rationale = `The close ${price(close)} is below ${price(low)}, the low of ${period} candles.`;
      return new Signal('sell', 0.7, { rationale, metadata }).trade(close, high, reward);
    }
    return undefined;
  },
});
