// What a rule sees and what it may answer.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Series, Signal, buy, defineStrategy, inOrder, integer, parameter } from 'ta-bot-sdk';
import { Candles, check, evaluate } from 'ta-bot-sdk/testing';

const both = defineStrategy({
  id: 'both',
  name: 'Both',
  version: '1.2.3',
  description: 'Reads the next higher timeframe and BTCUSDT.',
  lookback: 2,
  columns: ['close'],
  extra: [
    { lookback: 3, columns: ['close', 'volume'] },
    { lookback: 1, timeframe: '1h', symbol: 'BTCUSDT' },
  ],
  parameters: {
    period: parameter.integer(14, 'Length of the average, in candles.', { min: 2, max: 200 }),
    threshold: parameter.number(30, 'A threshold, in points.', { min: 0 }),
    verbose: parameter.boolean(false, 'Whether to log.'),
    trigger: parameter.text('cross', 'What counts.', { choices: ['cross', 'level'] }),
    label: parameter.text('none', 'A name.'),
    trendPeriod: parameter.integer(undefined, 'Length of the trend, in candles.', { max: 240 }),
  },
  check: (parameters) => inOrder(parameters, 'period', 'trendPeriod'),
  evaluate({ window, extra: [higher, leader], parameters }) {
    const seen = window.length + 10 * higher.volume.length + 100 * leader.openTime.length;
    return buy(0.7, { metadata: { seen: integer(seen), threshold: parameters.threshold } });
  },
});

const made = (count) => Candles.fromCloses(new Array(count).fill(10));
const evaluated = (parameters) => evaluate(both, made(5), parameters, { extra: [made(5), made(5)] });
const refused = (parameters, message) => assert.throws(() => evaluated(parameters), { tag: 'invalid-parameters', message });

test('a rule sees what it declared and no more', () => {
  const signal = evaluated();
  assert.deepEqual([signal.number('seen'), signal.number('threshold')], [132, 30]);
  assert.throws(() => evaluate(both, made(5), {}, { extra: [made(5)] }), /1 extra series where 2 are declared/);
});

test('a wrong value is refused with what would be right', () => {
  refused({ period: 1 }, 'period = 1 must be from 2 to 200');
  refused({ period: 14.5 }, 'period = 14.5 must be an integer');
  refused({ threshold: -0.5 }, 'threshold = -0.5 must be at least 0');
  refused({ threshold: Infinity }, 'threshold = inf must be at least 0');
  refused({ threshold: NaN }, 'threshold = NaN must be at least 0');
  refused({ trendPeriod: 241 }, 'trend_period = 241 must be at most 240');
  refused({ verbose: 'yes' }, 'verbose = "yes" must be true or false');
  refused({ trigger: 'touch' }, 'trigger = "touch" must be one of cross, level');
  refused({ label: 1 }, 'label = 1 must be a text');
  assert.throws(() => evaluated({ perod: 14 }), /perod is no parameter \(did you mean period\?\)/);
  assert.equal(check(both, { trendPeriod: 14 }), 'period = 14 must be below trend_period = 14');
  assert.equal(check(both), undefined);
});

test('levels of a trade lie on both sides', () => {
  const { price, stopLoss, takeProfit } = new Signal('sell', 0.7).trade(100, 104, 1.5);
  assert.deepEqual([price, stopLoss, takeProfit], [100, 104, 94]);
});

test('a series is read from its newest end', () => {
  const series = Series.from([1, 2, 3, 4]);
  assert.deepEqual([series.newest(), series.ago(3), [...series.tail(2)], [...series.span(1, 3)]], [4, 1, [3, 4], [2, 3]]);
  assert.ok(Number.isNaN(series.ago(4)));
  assert.deepEqual([series.tail(9).length, series.span(5, 9).length, series.span(2, 1).length], [4, 0, 0]);
  assert.throws(() => series.ago(-1), /candles = -1 must be a whole number from 0 on/);
  const line = Series.from([2, 2]);
  assert.ok(Series.from([1, 3]).crossedAbove(line) && Series.from([3, 1]).crossedBelow(line));
  assert.ok(!Series.from([3, 4]).crossedAbove(line) && !Series.from([3]).crossedAbove(line));
});
