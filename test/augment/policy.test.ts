import { describe, expect, it } from 'vitest';
import { checkPolicyClasses, checkPolicySize } from '../../src/augment/check-policy.ts';
import { ELEMENTS } from '../../src/augment/elements.ts';
import { PRESETS } from '../../src/augment/presets.ts';
import { drawPolicy, mixes, parsePolicy, uses, varies } from '../../src/augment/policy.ts';
import { runSteps } from '../../src/augment/run-steps.ts';
import { InputError } from '../../src/core/errors.ts';
import { randomStream } from '../../src/core/random.ts';
import type { Pixels } from '../../src/images/pixels.ts';
import { pictures } from './support/pictures.ts';

const image: Pixels = pictures(32, 24)[0]!;
const input = { width: 16, height: 16 };

function draw(text: string, seed = 0, label?: string): Pixels {
  const steps = drawPolicy(parsePolicy(text), { image, input, stream: randomStream('policy', seed), label });
  return runSteps(steps, image);
}

function isSame({ data }: Pixels): boolean {
  return Buffer.compare(data, image.data) === 0;
}

describe('parsePolicy', () => {
  it('reads what it writes', () => {
    for (const text of [
      'randomresizedcrop(16)|flip|randaugment(2,9)|erase(0.25)',
      'rotate(-10..20, fill=#ff8000, interpolation=bicubic, p=0.5)',
      'brightness(0.3)|rotate(fill=reflect)|rotate(fill=7)',
      "only('cat','it\\'s', flip|rotate(5))|except('6', flip)",
      'oneof(flip|rotate(10), invert, p=0.7)',
      "randaugment('rotate:2','shearx',1,20,mstd=3)",
      'switch(cutmix(0.5),mixup(0.2),p=0.9,per=batch,off=10)|repeat(3)',
      'rand-m9-mstd0.5-inc1',
      'weak',
      'strong',
      '',
    ]) {
      const policy = parsePolicy(text);
      expect(parsePolicy(policy.text)).toEqual(policy);
      // Plain data: what a thread or a file gets is all there is.
      expect(structuredClone(policy)).toEqual(policy);
    }
  });

  it('reads every name without arguments that has none without a default', () => {
    const inner: Record<string, string> = {
      oneof: 'oneof(flip)',
      only: "only('a',flip)",
      except: "except('a',flip)",
      switch: 'switch(mixup)',
    };
    for (const name of [...ELEMENTS.keys(), ...PRESETS.keys()])
      expect(() => parsePolicy(inner[name] ?? name), name).not.toThrow();
  });

  it('takes one number as far as either side of the identity, or from it', () => {
    const [item] = parsePolicy('brightness(0.3)').image;
    expect(item!.arguments['factor']).toEqual([0.7, 1.3]);
    expect(parsePolicy('brightness(0.3..0.5)').image[0]!.arguments['factor']).toEqual([0.3, 0.5]);
    expect(parsePolicy('rotate(20)').image[0]!.arguments['angle']).toEqual([-20, 20]);
  });

  it("reads timm's RandAugment on its own scale", () => {
    expect(parsePolicy('rand-m9-mstd0.5-inc1').image[0]).toMatchObject({
      name: 'randaugment',
      arguments: { n: 2, m: 27, mstd: 1.5, each: 0.5, spread: 'normal' },
    });
    expect(parsePolicy('rand-m7-n3-p1-mstdinf').image[0]).toMatchObject({
      arguments: { n: 3, m: 21, each: 1, spread: 'uniform' },
    });
  });

  it.each([
    ['rotat(1)', 'character 1, "rotat"', 'did you mean "rotate"'],
    ['flip|rotate(500)', 'character 13, "500"', '-360 to 360'],
    ['rotate(20..10)', '"20..10"', 'from low to high'],
    ['rotate(1', '"rotate(1"', 'expected "," or ")"'],
    ['flip||flip', 'character 6', 'name of an operation'],
    ['flip)', 'character 5', 'expected "|" or the end'],
    ['rotate(angle=1,angle=2)', '"angle=2"', 'given twice'],
    ['rotate(anlge=1)', '"anlge=1"', 'did you mean "angle"'],
    ['rotate(interpolation=cubic)', '"interpolation=cubic"', 'did you mean "bicubic"'],
    ['rotate(fill=#12345)', '"#12345', '#rrggbb'],
    ['brightness(p=2)', '"p=2"', 'from 0 to 1'],
    ['oneof(cutmix(1))', '"cutmix(1)"', "can't stand inside"],
    ['switch(flip)', '"flip"', 'single images'],
    ['switch(cutmix(1,off=3),mixup)', '"switch', 'told to the switch'],
    ['cutmix(1)|mixup(1)', '"mixup(1)"', 'mixed once'],
    ['flip|evaluationcrop', 'character 6', 'at the beginning'],
    ['repeat(2)|repeat(3)', '"repeat(3)"', 'stands 2 times'],
    ["randaugment('flip')", "'flip' names no operation with a strength", ''],
    ["randaugment('rotate:0')", 'above 0', ''],
    ['only(flip)', '"only(flip)"', 'at least one class'],
    ["only('a')", 'needs one sequence', ''],
    ["only('a, flip)", 'no end', ''],
    ['rand-m9-x3', '"x3"', 'not understood'],
    ['weak(3)', '"weak(3)"', 'no arguments'],
    ['resizemix(0.5,0.2)', 'low must not be above high', ''],
  ])('refuses %s and quotes the failing part', (text, ...parts) => {
    expect(() => parsePolicy(text)).toThrow(InputError);
    for (const part of parts.filter(Boolean)) expect(() => parsePolicy(text)).toThrow(part);
  });
});

describe('drawPolicy', () => {
  it('depends on the stream alone', () => {
    for (const text of ['strong', 'augmix', 'trivialaugment', 'autoaugment(cifar10)', 'rand-m9-mstd0.5'])
      expect(draw(text, 5)).toEqual(draw(text, 5));
    expect(draw('strong', 5)).not.toEqual(draw('strong', 6));
  });

  it('does an item as often as it says', () => {
    const count = Array.from({ length: 400 }, (_, seed) => draw('invert(p=0.3)', seed)).filter(
      (drawn) => !isSame(drawn),
    ).length;
    expect(count / 400).toBeCloseTo(0.3, 1);
  });

  it('tells classes apart, and leaves images without one alone', () => {
    expect(isSame(draw("only('a',invert)", 0, 'a'))).toBe(false);
    expect(isSame(draw("only('a',invert)", 0, 'b'))).toBe(true);
    expect(isSame(draw("except('a',invert)", 0, 'a'))).toBe(true);
    expect(isSame(draw("except('a',invert)", 0, 'b'))).toBe(false);
    expect(isSame(draw("only('a',invert)|except('b',invert)", 0, undefined))).toBe(true);
  });

  it('takes one of several sequences', () => {
    const results = new Set(
      Array.from({ length: 40 }, (_, seed) =>
        Buffer.from(draw('oneof(invert,invert|invert,rotate(90..90))', seed).data).toString('base64'),
      ),
    );
    expect(results.size).toBe(3);
  });
});

describe('views of an image', () => {
  /** The drawing of one seed, seen with the numbers that `augmix` draws keyed by `own`, or without it. */
  function drawView(text: string, seed: number, own: 'clean' | number): Pixels {
    const view = own === 'clean' ? own : randomStream('view', own);
    const stream = randomStream('policy', seed);
    return runSteps(drawPolicy(parsePolicy(text), { image, input, stream, label: undefined, view }), image);
  }

  it('share all numbers but those of augmix, without which the clean one is', () => {
    const policy = (augmix: string): string => `randomresizedcrop(16)|flip${augmix}|brightness(0.5)|erase(1)`;
    for (let seed = 0; seed < 10; seed++) {
      const clean = drawView(policy('|augmix(10)'), seed, 'clean');
      expect(clean).toEqual(draw(policy(''), seed));
      expect(drawView(policy('|augmix(10)'), seed, 1)).not.toEqual(clean);
      expect(drawView(policy('|augmix(10)'), seed, 1)).toEqual(drawView(policy('|augmix(10)'), seed, 1));
      expect(drawView(policy('|augmix(10)'), seed, 2)).not.toEqual(drawView(policy('|augmix(10)'), seed, 1));
      // What is drawn for augmix takes nothing from the numbers of what follows.
      expect(drawView(policy('|augmix(10,p=0)'), seed, 1)).toEqual(clean);
    }
  });

  it('draw each augmix of a policy anew, and find it inside others', () => {
    const twice = drawView('augmix(10)|augmix(10)', 0, 1);
    expect(twice).not.toEqual(drawView('augmix(10)', 0, 1));
    let mixed = 0;
    for (let seed = 0; seed < 20; seed++) {
      const clean = drawView('oneof(augmix(10),invert(p=1))', seed, 'clean');
      const view = drawView('oneof(augmix(10),invert(p=1))', seed, 1);
      // All views take the same of the two ways.
      expect(isSame(clean)).toBe(Buffer.compare(clean.data, view.data) !== 0);
      if (isSame(clean)) mixed++;
    }
    expect(mixed).toBeGreaterThan(3);
    expect(mixed).toBeLessThan(17);
  });
});

describe('varies, mixes and uses', () => {
  it('find a name wherever it stands', () => {
    expect(uses(parsePolicy("flip|oneof(only('a',augmix),invert)"), 'augmix')).toBe(true);
    expect(uses(parsePolicy('flip|switch(cutmix(1),mixup)'), 'mixup')).toBe(true);
    expect(uses(parsePolicy('flip|trivialaugment'), 'augmix')).toBe(false);
  });

  it('tell what a policy does to images and labels', () => {
    expect([varies(parsePolicy('')), varies(parsePolicy('evaluationcrop')), varies(parsePolicy('flip'))]).toEqual([
      false,
      false,
      true,
    ]);
    expect([mixes(parsePolicy('repeat(2)')), mixes(parsePolicy('cutmix(1)'))]).toEqual([false, true]);
    expect(varies(parsePolicy('repeat(2)'))).toBe(true);
  });
});

describe('checkPolicySize', () => {
  it.each([
    '',
    'evaluationcrop',
    'evaluationcrop|rotate(10)',
    'randomresizedcrop',
    'randomresizedcrop|flip|strong',
    'resize|centercrop|flip',
    'oneof(randomresizedcrop,centercrop)',
  ])('accepts "%s"', (text) => {
    expect(() => checkPolicySize(parsePolicy(text), input)).not.toThrow();
  });

  it('comes to an end with every name, also where numbers are drawn until they fit', () => {
    for (const [name, element] of ELEMENTS)
      if (element.level === 'image' && element.sequences === 'none' && name !== 'evaluationcrop') {
        const policy = `${name}(p=1)|randomresizedcrop`;
        expect(() => checkPolicySize(parsePolicy(policy), input), name).not.toThrow();
      }
  });

  it.each([
    'flip',
    'rotate(10)',
    'randomresizedcrop(17)',
    'randomresizedcrop(p=0.999)',
    'oneof(randomresizedcrop,flip)',
    'evaluationcrop|centercrop(8)',
  ])('refuses "%s", which leaves another size', (text) => {
    expect(() => checkPolicySize(parsePolicy(text), input)).toThrow(/leaves an image of .* the network takes 16x16/);
  });
});

describe('checkPolicyClasses', () => {
  it('names a class that is not there', () => {
    const policy = parsePolicy("oneof(only('catt',flip),flip)");
    expect(() => checkPolicyClasses(policy, ['cat', 'dog'])).toThrow('did you mean "cat"');
    expect(() => checkPolicyClasses(policy, ['catt'])).not.toThrow();
  });
});
