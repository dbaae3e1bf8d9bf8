// What a JavaScript or TypeScript author of a TA Bot strategy imports. The README shows how.

export * as indicators from './indicators.js';
export * as log from './log.js';
export { Candle, Window } from './candle.js';
export { Fault, failed, insufficientData, invalidParameters } from './faults.js';
export { inOrder, parameter } from './parameters.js';
export { Series } from './series.js';
export { Signal, buy, close, hold, integer, sell } from './signal.js';
export { defineStrategy } from './strategy.js';
export { fixed, price } from './text.js';
