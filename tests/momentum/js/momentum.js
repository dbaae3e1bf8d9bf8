// Momentum: the close against the close some candles ago. Buys strength, sells weakness.
//
// The folders beside this one hold the same rule in other languages; all of them give the same numbers.
// A strategy is one exported object with three functions. The host calls each `evaluate` in a fresh instance, so
// nothing is kept between calls.
import { write } from 'ta-bot:strategy/log@1.0.0';

const STOP_DISTANCE = 0.02;
const TARGET_DISTANCE = 0.04;

export const strategy = {
  // Describes what the strategy is and what it needs, always in the same way.
  describe() {
    return {
      id: 'momentum',
      name: 'Momentum',
      version: '1.0.0',
      description: 'Follows the change of the close over the last candles once it passes a threshold.',
      // The longest period plus the newest candle. Asking only for the columns that are read saves time.
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
          // Without a default, a parameter is optional: it is passed only if an operator has set it.
          name: 'min_volume',
          description: 'Volume that the newest candle must have, in units of the base asset.',
          kind: 'number',
          choices: [],
        },
      ],
    };
  },

  // Checks the rules between parameters; the host has already checked types, bounds and choices.
  // Throwing a string refuses the parameters; the string says why.
  check(parameters) {
    const { threshold, direction } = byName(parameters);
    if (threshold === 0 && direction === 'both') {
      throw 'threshold must be above 0 when direction is both, or every candle gives a signal';
    }
  },

  // Makes one decision on one window, oldest candle first. `undefined` means no signal for this candle.
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
    // The stop of a buy lies below its entry, that of a sell above.
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

// The values by name. Parameters come as pairs of a name and a tagged value.
function byName(parameters) {
  return Object.fromEntries(parameters.map(([name, value]) => [name, value.val]));
}

// Formats a fraction as a percentage with two decimals. It rounds to whole hundredths, since languages round decimals
// differently.
function percent(fraction) {
  const hundredths = Math.floor(Math.abs(fraction) * 10000 + 0.5);
  const sign = fraction < 0 ? '-' : '';
  return `${sign}${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`;
}
