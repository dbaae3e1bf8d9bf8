// The rule natively, without WebAssembly.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Candles, check, evaluate } from 'ta-bot-sdk/testing';

import rule from './strategy.ts';

test('it buys above the channel', () => {
  const quiet = new Array(30).fill(100);
  assert.equal(evaluate(rule, Candles.fromCloses(quiet)), undefined);
  const signal = evaluate(rule, Candles.fromCloses([...quiet, 101]));
  assert.deepEqual([signal?.action, signal?.stopLoss, signal?.takeProfit], ['buy', 100, 103]);
});

test('it asks for as many candles as it needs', () => {
  assert.throws(() => evaluate(rule, Candles.fromCloses(new Array(20).fill(100))));
  assert.equal(check(rule, { period: 1 }), 'period = 1 must be from 2 to 200');
});
