// Momentum: the close against the close some candles ago. Buys strength, sells weakness.
//
// The same rule stands beside this folder in other languages; all of them answer the same numbers.
// A strategy is one exported object with three functions. The host calls each `evaluate` in a fresh
// instance, so nothing kept between calls would survive.
import { write } from 'ta-bot:strategy/log@1.0.0';

const STOP_DISTANCE = 0.02;
const TARGET_DISTANCE = 0.04;

export const strategy = {
  // Says what the strategy is and what it needs. Always the same answer.
  describe() {
    return {
      id: 'momentum',
      name: 'Momentum',
      version: '1.0.0',
      description: 'Follows the change of the close over the last candles once it passes a threshold.',
      // The longest period and the newest candle. Asking only for the columns that are read saves time.
      lookback: 201,
      columns: { close: true, volume: true },
      timeframes: [],
      extra: [],
      parameters: [
        {
          name: 'period',
          description: 'Candles to look back, a count.',
          kind: 'integer',
          default: { tag: 'integer', val: 10 },
          min: 1,
          max: 200,
          choices: [],
        },
        {
          name: 'threshold',
          description: 'Change that is needed, as a fraction: 0.01 is one percent.',
          kind: 'number',
          default: { tag: 'number', val: 0.01 },
          min: 0,
          max: 1,
          choices: [],
        },
        {
          name: 'direction',
          description: 'Which signals to give: both, long (buy only) or short (sell only).',
          kind: 'text',
          default: { tag: 'text', val: 'both' },
          choices: ['both', 'long', 'short'],
        },
        {
          // No default makes it optional: it arrives only where an operator has set it.
          name: 'min_volume',
          description: 'Volume that the newest candle must have, in units of the base asset.',
          kind: 'number',
          choices: [],
        },
      ],
    };
  },

  // Types, bounds and choices were checked by the host; what is left are rules between parameters.
  // A thrown string is the refusal.
  check(parameters) {
    const { threshold, direction } = byName(parameters);
    if (threshold === 0 && direction === 'both') {
      throw 'threshold must be above 0 when direction is both, or every candle gives a signal';
    }
  },

  // One decision on one window, oldest candle first. `undefined` says nothing about this candle.
  evaluate(context, base, _extra, parameters) {
    const { period, threshold, direction, min_volume: minVolume } = byName(parameters);
    const newest = base.close.length - 1;
    if (newest < period) {
      throw { tag: 'insufficient-data', val: period + 1 };
    }
    const close = base.close[newest];
    const before = base.close[newest - period];
    if (!(before > 0)) {
      throw { tag: 'failed', val: 'the close to compare with is not above 0' };
    }
    const momentum = close / before - 1;
    write('debug', `${context.symbol} ${context.timeframe}: momentum ${percent(momentum)} %`);

    if (minVolume !== undefined && base.volume[newest] < minVolume) {
      return undefined;
    }
    let action;
    if (momentum > threshold && direction !== 'short') {
      action = 'buy';
    } else if (momentum < -threshold && direction !== 'long') {
      action = 'sell';
    } else {
      return undefined;
    }
    // A buy is stopped below its entry, a sell above.
    const side = action === 'buy' ? 1 : -1;
    const extra = Math.abs(momentum) * 10;
    return {
      action,
      confidence: 0.6 + (extra < 0.35 ? extra : 0.35),
      stopLoss: close * (1 - side * STOP_DISTANCE),
      takeProfit: close * (1 + side * TARGET_DISTANCE),
      strength: 'medium',
      rationale:
        `The close moved by ${percent(momentum)} % in ${period} candles, ` +
        `past the threshold of ${percent(threshold)} %.`,
      metadata: [
        ['momentum', { tag: 'number', val: momentum }],
        ['period', { tag: 'integer', val: period }],
      ],
    };
  },
};

// Parameters come as pairs of a name and a tagged value.
function byName(parameters) {
  return Object.fromEntries(parameters.map(([name, value]) => [name, value.val]));
}

// A fraction in percent with two decimals. Whole hundredths, since languages round decimals differently.
function percent(fraction) {
  const hundredths = Math.floor(Math.abs(fraction) * 10000 + 0.5);
  const sign = fraction < 0 ? '-' : '';
  return `${sign}${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`;
}
