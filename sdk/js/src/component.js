// Connects the interface of the host to a strategy. Only the component imports this module: the host's log exists
// nowhere else.

import { write } from 'ta-bot:strategy/log@1.0.0';

import { evaluate, refusal, strategyOf } from './evaluation.js';
import { Fault } from './faults.js';
import * as log from './log.js';
import { told } from './mistakes.js';
import { Integer } from './signal.js';

/** The object that the component exports as the interface `strategy`. */
export function exportsOf(module) {
  log.writeTo(write);
  const strategy = strategyOf(module);
  return {
    describe() {
      try {
        return described(strategy);
      } catch (mistake) {
        // There is no other way for this answer to fail.
        log.error(`describe: ${told(mistake)}`);
        throw mistake;
      }
    },

    check(parameters) {
      let refused;
      try {
        refused = refusal(strategy, plain(parameters));
      } catch (mistake) {
        refused = `check: ${told(mistake)}`;
      }
      if (refused !== undefined) throw refused;
    },

    evaluate(context, base, extra, parameters) {
      let signal;
      try {
        signal = evaluate(strategy, context, base, extra, plain(parameters));
      } catch (mistake) {
        if (mistake instanceof Fault) throw { tag: mistake.tag, val: mistake.val };
        throw { tag: 'failed', val: `evaluate: ${told(mistake)}` };
      }
      return signal && answered(signal);
    },
  };
}

function plain(parameters) {
  return parameters.map(([name, value]) => [name, value.val]);
}

function described(strategy) {
  const { id, name, version, description, lookback, timeframes } = strategy;
  return {
    id,
    name,
    version,
    description,
    lookback,
    columns: flags(strategy.columns),
    timeframes,
    extra: strategy.extra.map((input) => ({
      symbol: input.symbol === undefined ? { tag: 'own' } : { tag: 'fixed', val: input.symbol },
      timeframe: input.timeframe === undefined ? { tag: 'next-higher' } : { tag: 'fixed', val: input.timeframe },
      lookback: input.lookback,
      columns: flags(input.columns ?? []),
    })),
    parameters: strategy.declaration.map((entry) => ({
      name: entry.name,
      description: entry.description,
      kind: entry.kind,
      default: entry.default === undefined ? undefined : { tag: entry.kind, val: entry.default },
      min: entry.min,
      max: entry.max,
      choices: [...entry.choices],
    })),
  };
}

function flags(columns) {
  return Object.fromEntries(columns.map((column) => [column, true]));
}

function answered(signal) {
  const { action, confidence, price, stopLoss, takeProfit, strength, rationale } = signal;
  const metadata = Object.entries(signal.metadata).map(([name, value]) => [name, tagged(value)]);
  return { action, confidence, price, stopLoss, takeProfit, strength, rationale, metadata };
}

function tagged(value) {
  if (value instanceof Integer) return { tag: 'integer', val: value.value };
  if (typeof value === 'boolean') return { tag: 'boolean', val: value };
  return typeof value === 'string' ? { tag: 'text', val: value } : { tag: 'number', val: value };
}
