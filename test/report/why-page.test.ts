import { describe, expect, it } from 'vitest';
import { machineLabels } from '../../src/report/sections/machine-labels.ts';
import { renderWhyPage } from '../../src/report/why-page.ts';

const NAME = '"><img src=x onerror=alert(1)>.jpg';
const PICTURE = 'data:image/jpeg;base64,AAAA';

/** Whether no name became a tag, an attribute or a script. */
function isEscaped(html: string): boolean {
  return !/<img src=x|<script|<b>/.test(html);
}

describe('renderWhyPage', () => {
  it('shows pictures and words, and runs nothing that a name holds', () => {
    const page = renderWhyPage({
      image: { file: NAME, text: '<b>cat</b>', picture: PICTURE },
      sentences: [`${NAME} is labelled <script>alert(1)</script>.`],
      rows: [
        { title: 'Labelled by a person', images: [{ file: NAME, text: 'cat', picture: 'data:image/svg+xml,<svg/>' }] },
        { title: 'Labelled by the machine', images: [] },
      ],
    });
    expect(isEscaped(page)).toBe(true);
    expect(page).toContain(`<img src="${PICTURE}"`);
    expect(page).toContain('no picture');
    expect(page).not.toContain('svg/>');
    expect(page).toContain('Labelled by a person');
    expect(page).not.toContain('Labelled by the machine');
    expect(page).toContain('default-src &#39;none&#39;');
  });
});

describe('the section of machine labels', () => {
  const summary = { round: 'round-2', images: 1234, used: 1000, setAside: 7, file: 'pseudo-labels/round-2.csv' };

  it('shows examples, and runs nothing that a name holds', () => {
    const label = {
      file: NAME,
      label: '<b>cat</b>',
      probability: 0.5,
      chance: 0.4,
      before: '<b>dog</b>',
      picture: PICTURE,
    };
    const { text } = machineLabels({
      ...summary,
      examples: [
        { title: 'Least sure of those used', labels: [label] },
        { title: 'Surest of those not used', labels: [] },
      ],
    });
    expect(isEscaped(text)).toBe(true);
    expect(text).toMatch(/1,000 of 1,234 machine labels/);
    expect(text).toMatch(/7 images look like none of the classes/);
    expect(text).toMatch(/chance 40\.0\s%/);
    expect(text).toContain('before: &lt;b&gt;dog');
    expect(text).toContain('Least sure');
    expect(text).not.toContain('Surest');
  });
});
