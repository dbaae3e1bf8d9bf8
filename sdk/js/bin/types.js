// `node --import ta-bot-sdk/types --test strategy.test.ts` runs TypeScript: types are replaced by spaces when a file is
// imported, as the build does it. Node.js does so by itself from 22.18 on; older ones, from 20.6 on, need this.
import { register } from 'node:module';

register('./types-hooks.js', import.meta.url);
