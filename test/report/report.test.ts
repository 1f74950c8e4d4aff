import { describe, expect, test } from 'vitest';
import { escapeHtml, html, trusted } from '../../src/report/html.ts';
import { renderReport } from '../../src/report/report.ts';
import type { RunSummary } from '../../src/report/run-summary.ts';
import { sampleRun } from './sample-run.ts';

const CLASSES = ['dress', 'hat', 'pants', 'shirt', 'shoes'];

/** Every text and every key of a summary through `change`, numbers as they are. */
function withTexts<T>(value: T, change: (text: string) => string): T {
  if (typeof value === 'string') return change(value) as T;
  if (Array.isArray(value)) return value.map((inner: unknown) => withTexts(inner, change)) as T;
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withTexts(inner, change)])) as T;
  return value;
}

const VOID = new Set(['meta', 'img', 'br', 'line', 'circle', 'polyline']);

/** The names of all elements, in order. Fails unless every tag is closed where it should be. */
function elements(page: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  const body = page.replace('<!doctype html>', '').replaceAll(/<style>[^<]*<\/style>/g, '<style></style>');
  for (const [tag, close, name] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)(?:\s+[a-zA-Z-]+(?:="[^"<>]*")?)*\s*\/?>/g)) {
    if (close === '/') expect(open.pop(), `${tag} closes`).toBe(name);
    else {
      names.push(name!);
      if (!VOID.has(name!)) open.push(name!);
    }
  }
  expect(open).toEqual([]);
  // Whatever looks like the start of a tag was one of those.
  expect(body.match(/</g)!.length).toBe(body.match(/<\/?[a-z][a-z0-9]*[\s/>]/g)!.length);
  return names;
}

const picture = `data:image/png;base64,${Buffer.from('not really').toString('base64')}`;

describe('a report', () => {
  const run = sampleRun(CLASSES);
  const page = renderReport({ ...run, pictures: { [run.evaluation!.mistakes[0]!.id]: picture } });

  test('is one well-formed page, the same each time', () => {
    const names = elements(page);
    expect(names.filter((name) => name === 'h1')).toHaveLength(1);
    for (const forbidden of ['script', 'link', 'iframe', 'object', 'form', 'a:href'])
      expect(names).not.toContain(forbidden);
    expect(renderReport({ ...sampleRun(CLASSES), pictures: { [run.evaluation!.mistakes[0]!.id]: picture } })).toBe(
      page,
    );
  });

  test('tells of groups, and of those in two parts of the data', () => {
    const pairs = [['test/hat/p1.jpg', 'train/hat/p1.jpg']] as const;
    const data = { ...run.data!, groups: 41, leaks: { pairs, dropped: false } };
    const told = renderReport({ ...run, data });
    expect(told).toMatch(/<dt>Groups, never split<\/dt>\s*<dd>41<\/dd>/);
    expect(told).toContain('Copies and groups across splits');
    expect(told).toContain('is a copy of one, or of one group with such, in val or test');
    expect(renderReport({ ...run, data: { ...run.data!, leaks: data.leaks } })).not.toMatch(
      /[Gg]roups across|one group/,
    );
  });

  test('needs no network: nothing points out of it', () => {
    expect(page).not.toMatch(/https?:|url\(|@import|\bsrcset|\bon[a-z]+=/i);
    for (const [, target] of page.matchAll(/(?:src|href)="([^"]*)"/g))
      expect(target).toMatch(/^(#[a-z]+|data:image\/)/);
    expect(page).toContain(`content="default-src &#39;none&#39;`);
  });

  test('every link of its contents has its place', () => {
    for (const [, id] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`id="${id}"`);
  });

  test('says what the evaluation says', () => {
    const { accuracy, interval, macroF1, perClass, confusion, temperature } = run.evaluation!;
    const text = page.replaceAll('\u00A0', ' ').replaceAll(/\s+</g, '<').replaceAll(/>\s+/g, '>');
    expect(text).toContain(`<strong>${(100 * accuracy).toFixed(1)} %</strong>`);
    expect(text).toContain(`${(100 * interval[0]).toFixed(1)} to ${(100 * interval[1]).toFixed(1)} %`);
    expect(text).toContain(macroF1.toFixed(3));
    for (const { f1 } of Object.values(perClass)) expect(text).toContain(f1!.toFixed(3));
    for (const [i, row] of confusion.entries()) expect(text).toContain(`>${row[i]}</td>`);
    expect(text).toContain(`T = ${temperature.toPrecision(3)}`);
    expect(text).toContain('int8 is slower here than float32: 1.27 times');
    expect(text).toContain('2 files could not be used');
    expect(text).toContain('The test images were looked at 2 times');
    expect(text).toContain('31 images in 14 groups of copies');
    expect(text).toContain('The weights of epoch 17 were kept');
    expect(text).toContain('At a probability of 71.2 % or more');
    expect(text).toContain('Labels of unlabelled images: used from 40.0 % to 80.0 %; confidence from 90.0 % to 90.0 %');
  });

  test('pictures are shown where there are some, and only pictures are', () => {
    expect(page.match(/<img /g)).toHaveLength(1);
    expect(page).toContain(`src="${picture}"`);
    const ids = run.evaluation!.mistakes.map(({ id }) => id);
    const bad = ['data:image/svg+xml;base64,AAAA', 'https://example.org/a.png', 'data:image/png;base64,AA"onerror="x'];
    const other = renderReport({ ...run, pictures: Object.fromEntries(bad.map((uri, i) => [ids[i]!, uri])) });
    expect(other).not.toContain('<img');
  });

  test('cautions a reader where the figures ask for it', () => {
    const calm = renderReport({ ...run, testOpenings: [], data: { classes: [] } }).replaceAll('\u00A0', ' ');
    expect(calm).not.toContain('class="warning"');
    expect(calm).toContain('The test images were never looked at');
    const small = renderReport({ name: 'small', evaluation: sampleRun(CLASSES, 30).evaluation! }).replaceAll(
      '\u00A0',
      ' ',
    );
    expect(small).toContain('With 30 images the score is uncertain by');
    expect(small).toMatch(/scored on fewer than 10 images/);
  });
});

describe('hostile names', () => {
  const HOSTILE = `<img src=x onerror="alert(1)">'\`&lt;</title></style><script>`;

  test('are shown, never obeyed, wherever they stand', () => {
    // A class of that name, and then every text there is.
    const byClass = sampleRun([HOSTILE, ...CLASSES]);
    const everywhere = withTexts(byClass, (text) => (text.includes('T') && text.endsWith('Z') ? text : HOSTILE + text));
    for (const run of [byClass, { ...everywhere, evaluation: byClass.evaluation! }]) {
      const page = renderReport(run);
      const names = elements(page);
      expect(names).not.toContain('script');
      expect(names).not.toContain('img');
      expect(page).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&#96;&amp;lt;');
    }
  });

  test('keep their place as keys', () => {
    const classes = ['__proto__', 'constructor', 'toString'];
    const page = renderReport(sampleRun(classes));
    for (const name of classes) expect(page).toContain(`<th scope="row" title="${name}">`);
  });

  test('with control characters and marks that turn the direction are made visible', () => {
    expect(escapeHtml('a\nb\0c\x7Fd')).toBe('a␊b␀c␡d');
    expect(escapeHtml('photo\u202Egpj.exe')).toBe('photo\uFFFDgpj.exe');
    expect(escapeHtml('\uD800x')).toBe('\uFFFDx');
    expect(escapeHtml('größe 😀 مرحبا')).toBe('größe 😀 مرحبا');
  });
});

test('html escapes what is put in, and leaves out what is absent', () => {
  const inner = html`<b>${'<'}</b>`;
  expect(html`${inner}${[inner, 'a&b']}${undefined}${false}${0}${trusted('<i>')}`.text).toBe(
    '<b>&lt;</b><b>&lt;</b>a&amp;b0<i>',
  );
});

describe('runs that lack something', () => {
  test('a run that has just begun', () => {
    const page = renderReport({ name: 'new', state: 'running' });
    elements(page);
    expect(page).toContain('This run has no score yet.');
    expect(page).not.toContain('<h2');
  });

  test.each(Object.keys(sampleRun(CLASSES)).filter((key) => key !== 'name'))('one without %s', (key) => {
    const { [key as keyof RunSummary]: _, ...rest } = sampleRun(CLASSES);
    const page = renderReport(rest as RunSummary);
    elements(page);
    expect(page).not.toMatch(/undefined|NaN|\[object/);
  });

  test('two classes, and two hundred', () => {
    const two = renderReport({ name: 'two', evaluation: sampleRun(['cat', 'dog']).evaluation! });
    elements(two);
    expect(two).not.toContain('What is mixed up most');
    const many = renderReport({
      name: 'many',
      evaluation: sampleRun(
        Array.from({ length: 200 }, (_, i) => `class ${i}`),
        2000,
      ).evaluation!,
    });
    elements(many);
    expect(many).toContain('does not fit a page');
    expect(many).toContain('Among the first five');
    expect(many.length).toBeLessThan(400_000);
  });
});
