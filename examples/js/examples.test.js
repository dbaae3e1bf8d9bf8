// The example natively: `node --test`.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Candles, check, evaluate } from 'ta-bot-sdk/testing';

import donchian from './donchian.js';

test('a breakout has a stop by ATR', () => {
  const closes = Array.from({ length: 30 }, (_, index) => 100 + (index % 2));
  assert.equal(evaluate(donchian, Candles.fromCloses(closes)), undefined);
  const signal = evaluate(donchian, Candles.fromCloses([...closes, 103]));
  assert.deepEqual([signal.action, signal.price, signal.number('channel_high')], ['buy', 103, 101]);
  assert.equal(signal.stopLoss, 103 - 2 * signal.number('atr'));
});

test('a short window asks for data, and a trend within the channel is refused', () => {
  const short = Candles.fromCloses(new Array(20).fill(100));
  assert.throws(() => evaluate(donchian, short), { tag: 'insufficient-data', val: 21 });
  assert.equal(check(donchian, { trendPeriod: 20 }), 'channel = 20 must be below trend_period = 20');
});
