#!/usr/bin/env node
// `ta-bot-sdk build strategy.ts --output strategy.wasm` makes a component of a strategy.
import { parseArgs } from 'node:util';

import { build } from './build.js';

const USAGE = 'ta-bot-sdk build FILE --output FILE: makes a component of a strategy in JavaScript or TypeScript';

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { output: { type: 'string', short: 'o' }, help: { type: 'boolean', short: 'h' } },
  });
  const [command, source, ...rest] = positionals;
  if (values.help) {
    console.log(USAGE);
  } else if (command !== 'build' || !source || !values.output || rest.length > 0) {
    throw new Error(`the arguments are not understood. ${USAGE}`);
  } else {
    await build(source, values.output);
  }
} catch (mistake) {
  console.error(`ta-bot-sdk: ${mistake.message}`);
  process.exitCode = 1;
}
