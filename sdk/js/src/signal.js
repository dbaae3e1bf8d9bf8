// What a strategy answers.

import { knownOnly, suggestion } from './spelling.js';

const ACTIONS = ['buy', 'sell', 'hold', 'close'];
const STRENGTHS = ['weak', 'medium', 'strong', 'extreme'];
const LEVELS = ['price', 'stopLoss', 'takeProfit'];
const FIELDS = [...LEVELS, 'strength', 'rationale', 'metadata'];

/** A whole number among the readings, which JavaScript itself can't tell from a float. */
export class Integer {
  constructor(value) {
    this.value = value;
  }
}

export function integer(value) {
  if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 31) {
    throw new RangeError(`${value} must be a whole number of 32 bits`);
  }
  return new Integer(value);
}

export class Signal {
  constructor(action, confidence, fields = {}) {
    oneOf('action', action, ACTIONS);
    number('confidence', confidence);
    knownOnly('a signal', fields, FIELDS);
    for (const name of LEVELS) {
      if (fields[name] !== undefined) number(name, fields[name]);
    }
    if (fields.strength !== undefined) oneOf('strength', fields.strength, STRENGTHS);
    if (fields.rationale !== undefined && typeof fields.rationale !== 'string') {
      throw new TypeError(`rationale = ${String(fields.rationale)} must be a text`);
    }
    const metadata = fields.metadata ?? {};
    for (const [name, value] of Object.entries(metadata)) {
      if (!(value instanceof Integer) && !['boolean', 'number', 'string'].includes(typeof value)) {
        throw new TypeError(
          `metadata.${name} = ${String(value)} must be a number, an integer(), a boolean or a text`,
        );
      }
    }
    this.action = action;
    this.confidence = confidence;
    for (const name of FIELDS) this[name] = fields[name];
    this.metadata = metadata;
    Object.freeze(this);
  }

  trade(price, stopLoss, reward) {
    const distance = Math.abs(price - stopLoss) * reward;
    const takeProfit = this.action === 'sell' ? price - distance : price + distance;
    const { strength, rationale, metadata } = this;
    return new Signal(this.action, this.confidence, { price, stopLoss, takeProfit, strength, rationale, metadata });
  }

  number(name) {
    const value = this.metadata[name];
    if (value instanceof Integer) return value.value;
    return typeof value === 'number' ? value : NaN;
  }
}

export const buy = (confidence, fields) => new Signal('buy', confidence, fields);
export const sell = (confidence, fields) => new Signal('sell', confidence, fields);
export const hold = (confidence, fields) => new Signal('hold', confidence, fields);
export const close = (confidence, fields) => new Signal('close', confidence, fields);

function oneOf(name, given, allowed) {
  if (!allowed.includes(given)) {
    throw new TypeError(`${name} = ${String(given)}${suggestion(given, allowed)} must be one of ${allowed.join(', ')}`);
  }
}

function number(name, given) {
  if (typeof given !== 'number') throw new TypeError(`${name} = ${String(given)} must be a number`);
}
