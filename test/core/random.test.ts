import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';

describe('randomStream', () => {
  it('fills with the words that its numbers are made of', () => {
    const words = new Int32Array(6);
    randomStream('words', 1).fillWords(words);
    const stream = randomStream('words', 1);
    for (let i = 0; i < 6; i += 2)
      expect(stream.uniform()).toBe(((words[i]! >>> 5) * 2 ** 26 + (words[i + 1]! >>> 6)) / 2 ** 53);
  });

  it('goes on after a filling as if the numbers had been drawn', () => {
    const [filled, drawn] = [randomStream('words', 2), randomStream('words', 2)];
    filled.fillWords(new Int32Array(200));
    for (let i = 0; i < 100; i++) drawn.uniform();
    expect(filled.uniform()).toBe(drawn.uniform());
  });

  it('draws what it always drew', () => {
    // Runs are replayed from their keys: these numbers must never change.
    const stream = randomStream(7, 'train', 3, 'cat/1.png', 'crop');
    expect([stream.uniform(), stream.uniform(), stream.integer(1000)]).toMatchInlineSnapshot(`
      [
        0.4257067477361032,
        0.7542060204251632,
        291,
      ]
    `);
  });
});
