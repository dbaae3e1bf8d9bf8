// Makes the mistake that its parameter names. Lines are named in messages, so tests know them: keep them.
import { Signal, buy, defineStrategy, parameter } from 'ta-bot-sdk';
import type { Series } from 'ta-bot-sdk';

interface Unused {
  // Takes lines, which have to stay where they are when types are removed.
  readonly nothing: number;
}

function deeper(close: Series): number {
  try {
    return (close as unknown as { ninth(): number }).ninth();
  } catch (error) {
    throw new Error('the ninth candle is missing', { cause: error });
  }
}

export default defineStrategy({
  id: 'mistakes',
  name: 'Mistakes',
  version: '1.0.0',
  description: 'Makes the mistake that its parameter names.',
  lookback: 3,
  columns: ['close'],
  parameters: { mistake: parameter.text('none', 'Which mistake to make.') },

  check({ mistake }) {
    const nothing = undefined as unknown as Unused;
    return mistake === 'check' ? String(nothing.nothing) : undefined;
  },

  evaluate({ window, parameters: { mistake } }) {
    if (mistake === 'evaluate') deeper(window.close);
    if (mistake === 'field') return buy(0.7, { stop_loss: 1 } as object);
    if (mistake === 'column') return buy(window.volume.newest());
    return further(mistake);
  },
});

function further(mistake: string): Signal | undefined {
  if (mistake === 'confidence') return buy(1.5);
  if (mistake === 'price') return buy(0.7, { price: Number.NaN });
  if (mistake === 'reading') return buy(0.7, { metadata: { rsi: [1] } } as object);
  if (mistake === 'action') return new Signal('by' as 'buy', 0.7);
  if (mistake === 'type') return 0.7 as unknown as Signal;
  if (mistake === 'depth') return [further(mistake)][0];
  while (mistake === 'endless');
  return undefined;
}
