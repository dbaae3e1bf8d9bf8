// The RSI comes back: buys when it leaves the oversold zone, sells when it leaves the overbought one. In TypeScript:
// the types of the parameters follow from their declaration.
//
// The folders beside this one hold the same rule in other languages; all of them give the same signals, to the bit.
import { Signal, defineStrategy, fixed, inOrder, indicators, integer, parameter } from 'ta-bot-sdk';
import type { Action } from 'ta-bot-sdk';

export default defineStrategy({
  id: 'example_rsi',
  name: 'RSI recovery',
  version: '1.0.0',
  description: 'Follows the RSI out of the zones in which the price has moved too far.',
  lookback: 250,
  columns: ['close'],

  // Operators read these descriptions.
  parameters: {
    period: parameter.integer(14, 'Length of the RSI, in candles.', { min: 2, max: 100 }),
    oversold: parameter.number(30, 'The RSI has fallen too far below this, in points.', { min: 0, max: 100 }),
    overbought: parameter.number(70, 'The RSI has risen too far above this, in points.', { min: 0, max: 100 }),
    direction: parameter.text('both', 'Which signals to give: both, long (buy only) or short (sell only).', {
      choices: ['both', 'long', 'short'],
    }),
  },

  check(parameters) {
    return inOrder(parameters, 'oversold', 'overbought');
  },

  evaluate({ window, parameters }) {
    const { period, oversold, overbought, direction } = parameters;
    window.require(period + 2);
    const rsi = indicators.rsi(window.close, period);
    const [before, now] = [rsi.ago(1), rsi.newest()];

    let action: Action;
    if (before <= oversold && now > oversold && direction !== 'short') {
      action = 'buy';
    } else if (before >= overbought && now < overbought && direction !== 'long') {
      action = 'sell';
    } else {
      return undefined;
    }
    const moved = action === 'buy' ? 'rose' : 'fell';
    const level = action === 'buy' ? oversold : overbought;
    return new Signal(action, 0.6 + Math.min(Math.abs(now - before) * 0.01, 0.35), {
      rationale:
        `The RSI over ${period} candles ${moved} from ${fixed(before, 2)} to ${fixed(now, 2)}, ` +
        `past ${fixed(level, 2)}.`,
      metadata: { rsi: now, rsi_before: before, period: integer(period) },
    });
  },
});
