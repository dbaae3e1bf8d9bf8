// A mistake is named, with what would be right.
import assert from 'node:assert/strict';
import test from 'node:test';

import { buy, defineStrategy, indicators, parameter } from 'ta-bot-sdk';
import { Candles, evaluate } from 'ta-bot-sdk/testing';

const SOUND = {
  id: 'sound',
  name: 'Sound',
  version: '1.0.0',
  description: 'Does nothing.',
  lookback: 3,
  columns: ['close'],
  evaluate: () => undefined,
};
const one = Candles.fromCloses([1]);

test('a misspelt field of a signal', () => {
  assert.throws(() => buy(0.7, { stop_loss: 1 }), /stop_loss is no field of a signal \(did you mean stopLoss\?\)/);
  assert.throws(() => buy(0.7, { stopLoss: '1' }), /stopLoss = 1 must be a number/);
  assert.throws(() => buy(0.7, { strength: 'Strong' }), /strength = Strong \(did you mean strong\?\) must be one of/);
  assert.throws(() => buy(0.7, { metadata: { rsi: undefined } }), /metadata.rsi = undefined must be a number/);
  assert.throws(() => buy('0.7'), /confidence = 0.7 must be a number/);
});

test('an answer that is no signal', () => {
  const rule = (evaluate) => defineStrategy({ ...SOUND, evaluate });
  assert.throws(() => evaluate(rule(() => ({ action: 'buy' })), one), /evaluate returned a object: it must return buy/);
  assert.throws(() => evaluate(rule(async () => undefined), one), /a promise: evaluate must not be async/);
});

test('a column that is not declared', () => {
  const rule = defineStrategy({ ...SOUND, evaluate: ({ window }) => void window.volume });
  assert.throws(() => evaluate(rule, one), /the column volume is read, but not declared: add 'volume' to the columns \(close\)/);
});

test('a declaration that is wrong', () => {
  for (const [members, message] of [
    [{ lookback: undefined }, /lookback = undefined must be a number of candles/],
    [{ id: 'Bad-Id' }, /id = Bad-Id must be up to 64 lower case letters/],
    [{ columns: ['closes'] }, /columns has closes \(did you mean close\?\)/],
    [{ lookBack: 3 }, /lookBack is no field of a strategy \(did you mean lookback\?\)/],
    [{ version: '' }, /version =  must be a text: the semantic version/],
    [{ evaluate: undefined }, /evaluate must be a function/],
    [{ parameters: { period: 14 } }, /parameters.period must be made by parameter/],
  ]) {
    assert.throws(() => defineStrategy({ ...SOUND, ...members }), message);
  }
  assert.throws(() => parameter.integer(14, ''), /its description: a sentence/);
  assert.throws(() => parameter.integer(14, 'A length.', { minimum: 2 }), /minimum is no field of the bounds/);
  const low = { period: parameter.integer(1, 'A length.', { min: 2 }) };
  assert.throws(() => defineStrategy({ ...SOUND, parameters: low }), /the default of a parameter: period = 1 must be at/);
});

test('a period that is no whole number', () => {
  assert.throws(() => indicators.sma([1, 2], 1.5), /period = 1.5 must be a whole number from 0 on, in candles/);
});
