// Every indicator and text against the answers of the Rust SDK, to the bit.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { fixed, indicators, price } from 'ta-bot-sdk';

const path = process.env.TA_BOT_CONFORMANCE ?? new URL('../../conformance/indicators.json', import.meta.url);
const { series, answers, texts } = JSON.parse(readFileSync(path, 'utf8'));

const COLUMNS = {
  rollingMax: ['high'],
  rollingMin: ['low'],
  highest: ['high'],
  lowest: ['low'],
  midprice: ['high', 'low'],
  trueRange: ['high', 'low', 'close'],
  atr: ['high', 'low', 'close'],
  adx: ['high', 'low', 'close'],
};

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const numbers = (values) => values.map((value) => value ?? NaN);

function said(answer) {
  const name = camel(answer.indicator);
  const candles = series.find((one) => one.name === answer.series);
  const columns = (COLUMNS[name] ?? ['close']).map((column) => numbers(candles[column]));
  const asked = name === 'bollingerBand' ? answer.numbers.slice(0, 1) : answer.numbers;
  const made = indicators[name](...columns, ...asked);
  if (answer.line === '') return typeof made === 'number' ? [made] : [...made];
  const line = made[camel(answer.line)];
  if (typeof line === 'function') return [made[answer.line](...answer.numbers.slice(1))];
  return typeof line === 'number' ? [line] : [...line];
}

test('every indicator agrees to the bit', () => {
  const seen = new Set();
  for (const answer of answers) {
    // Strict equality of arrays tells 0 from -0, and NaN is equal to NaN.
    assert.deepStrictEqual(said(answer), numbers(answer.values), JSON.stringify({ ...answer, values: undefined }));
    seen.add(camel(answer.indicator));
  }
  const functions = Object.keys(indicators).filter((name) => name !== 'Band');
  assert.deepEqual([...seen].sort(), functions.sort());
});

test('texts are those of the other languages', () => {
  for (const { function: name, value, decimals, text } of texts) {
    assert.equal(name === 'price' ? price(value) : fixed(value, decimals), text, `${name}(${value}, ${decimals})`);
  }
});
