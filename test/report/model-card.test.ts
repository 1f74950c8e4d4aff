import { describe, expect, test } from 'vitest';
import { escapeMarkdown } from '../../src/report/markdown.ts';
import { renderModelCard } from '../../src/report/model-card.ts';
import { sampleRun } from './sample-run.ts';

const CLASSES = ['dress', 'hat', 'pants', 'shirt', 'shoes'];

describe('a model card', () => {
  const run = sampleRun(CLASSES);
  const card = renderModelCard(run).replaceAll('\u00A0', ' ');

  test('holds scores, limits, use, data, files and origin', () => {
    expect(card.match(/^## .*$/gm)).toEqual(['## Scores', '## Limits', '## Use', '## Data', '## Files', '## Origin']);
    expect(card).toContain(`| Accuracy | ${(100 * run.evaluation!.accuracy).toFixed(1)} % (95 % interval `);
    expect(card).toContain('with 5 classes: dress, hat, pants, shirt, shoes.');
    expect(card).toContain('Below a probability of 71.2 % an answer should be withheld');
    const recalls = Object.entries(run.evaluation!.perClass).toSorted(([, a], [, b]) => a.recall! - b.recall!);
    expect(card).toContain(`The weakest class is ${recalls[0]![0]}:`);
  });

  test('is the same each time, and holds no time and no path of the machine', () => {
    expect(renderModelCard(sampleRun(CLASSES)).replaceAll('\u00A0', ' ')).toBe(card);
    expect(card).not.toMatch(/2026|photos\/|runs\//);
  });

  test('begins with front matter', () => {
    expect(card).toMatch(/^---\nlibrary_name: onnx\n(?:[a-z_-].*\n)+---\n\n# clothing/);
  });

  test('tables have as many cells in every row', () => {
    for (const table of card.matchAll(/(?:^\|.*\|\n)+/gm)) {
      const cells = table[0]
        .trim()
        .split('\n')
        .map((line) => line.split('|').length);
      expect(new Set(cells).size).toBe(1);
    }
  });

  test('of a run without a score says what there is', () => {
    const bare = renderModelCard({ name: 'new' });
    expect(bare).toContain('An image classifier.');
    expect(bare).not.toMatch(/undefined|NaN/);
  });
});

describe('names', () => {
  test('can not become HTML, links, tables or code', () => {
    const hostile = '<img src=x onerror=alert(1)>|`code`[text](http://example.org)\n# head';
    const card = renderModelCard(sampleRun([hostile, ...CLASSES]));
    expect(card).not.toContain('<img');
    expect(card).not.toMatch(/(?<!\\)\[text/);
    expect(card).not.toContain('\n# head');
    expect(card).toContain('&lt;img src=x onerror=alert(1)&gt;\\|\\`code\\`\\[text\\](http\\://example.org)␊\\# head');
  });

  test('ordinary text stays as it is', () => {
    expect(escapeMarkdown('t-shirt (red), 20 %: größe.')).toBe('t-shirt (red), 20 %: größe.');
  });
});
