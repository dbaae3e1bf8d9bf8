// What the exports of a component do, without the host. The same functions run natively under `testing`, so a test sees
// what the host sees.

import { Window } from './candle.js';
import { Fault, failed, invalidParameters } from './faults.js';
import { told } from './mistakes.js';
import { read } from './parameters.js';
import { Signal } from './signal.js';
import { Strategy } from './strategy.js';

/** The strategy that a module exports by default. Throws a TypeError if it is none. */
export function strategyOf(module) {
  if (module.default instanceof Strategy) return module.default;
  throw new TypeError('the module must have `export default defineStrategy({ … })`');
}

/** What is wrong with these parameters, or undefined. */
export function refusal(strategy, values) {
  try {
    parsed(strategy, values);
    return undefined;
  } catch (fault) {
    if (fault instanceof Fault && fault.tag === 'invalid-parameters') return fault.val;
    throw fault;
  }
}

/** One decision. Throws a fault, or whatever the rule throws. */
export function evaluate(strategy, context, base, extra, values) {
  const parameters = parsed(strategy, values);
  const window = new Window(base, strategy.columns, 'base');
  if (extra.length !== strategy.extra.length) {
    throw failed(`${extra.length} extra series where ${strategy.extra.length} are declared`);
  }
  const windows = extra.map((candles, index) => {
    return new Window(candles, strategy.extra[index].columns ?? [], `extra ${index + 1}`);
  });
  const signal = strategy.evaluate({ context, window, extra: windows, parameters });
  if (signal === undefined || signal === null) return undefined;
  if (!(signal instanceof Signal)) {
    const what = signal instanceof Promise ? 'a promise: evaluate must not be async' : `a ${typeof signal}`;
    throw new TypeError(`evaluate returned ${what}: it must return buy(…), sell(…), hold(…), close(…) or undefined`);
  }
  return signal;
}

function parsed(strategy, values) {
  const parameters = read(strategy.declaration, values);
  let refused;
  try {
    refused = strategy.check?.(parameters);
  } catch (mistake) {
    if (mistake instanceof Fault) throw mistake;
    throw invalidParameters(`check: ${told(mistake)}`);
  }
  if (refused === undefined || refused === null) return parameters;
  if (typeof refused === 'string') throw invalidParameters(refused);
  throw invalidParameters(`check returned ${String(refused)}: it must return undefined, or a text that says what is wrong`);
}
