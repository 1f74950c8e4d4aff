import type { Call, CallArgument, CallValue } from '../grammar.ts';

/**
 * timm's way of writing RandAugment, `rand-m9-mstd0.5-inc1` (`timm/data/auto_augment.py`), as a call of `randaugment`.
 * Its magnitudes run from 0 to 10, ours, as torchvision's, from 0 to 30: m9 is 27. Its operations are done half of the
 * time unless `p` says otherwise. All of ours grow with the magnitude (`inc1`), whatever is asked for.
 * @throws the error that `problem` makes
 */
export function timmRandAugment(call: Call, problem: (message: string) => Error): Call {
  const values = new Map<string, number>([
    ['m', 10],
    ['n', 2],
    ['mstd', 0],
    ['p', 0.5],
  ]);
  for (const part of call.name.toLowerCase().split('-').slice(1)) {
    const [, key, digits] = /^([a-z]+)(\d*\.?\d+|inf)$/.exec(part) ?? [];
    if (key === undefined || !(values.has(key) || key === 'inc'))
      throw problem(`"${part}" is not understood; timm's parts m, n, mstd, p and inc are.`);
    values.set(key, digits === 'inf' ? Number.POSITIVE_INFINITY : Number(digits));
  }
  const mstd = values.get('mstd')!;
  // timm takes a deviation of 100 or more as evenly spread.
  const spread: [string, CallValue] =
    mstd >= 100
      ? ['spread', { kind: 'calls', calls: [{ ...call, name: 'uniform', arguments: [] }] }]
      : ['mstd', number(mstd * 3)];
  const entries: [string, CallValue][] = [
    ['n', number(values.get('n')!)],
    ['m', number(values.get('m')! * 3)],
    spread,
    ['each', number(values.get('p')!)],
  ];
  const given = entries.map(([key, value]): CallArgument => ({ key, value, from: call.from, to: call.to }));
  return { ...call, name: 'randaugment', arguments: given };
}

function number(value: number): CallValue {
  return { kind: 'number', value: Math.round(value * 1e6) / 1e6 };
}
