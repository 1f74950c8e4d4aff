import { except, only } from './combining/only.ts';
import { oneOf } from './combining/one-of.ts';
import { elementOf, type Element } from './element.ts';
import { MIXERS } from './mixing/mixers.ts';
import { repeat } from './mixing/repeat.ts';
import { switchMixers } from './mixing/switch.ts';
import { OPERATIONS } from './operations.ts';
import { augMix } from './policies/aug-mix.ts';
import { autoAugment } from './policies/auto-augment.ts';
import { randAugment } from './policies/rand-augment.ts';
import { trivialAugment } from './policies/trivial-augment.ts';
import { evaluationCrop } from './combining/evaluation-crop.ts';

/** Every name that a policy can have. */
export const ELEMENTS: ReadonlyMap<string, Element> = new Map(
  [
    ...[...OPERATIONS.values()].map(elementOf),
    evaluationCrop,
    oneOf,
    only,
    except,
    randAugment,
    trivialAugment,
    autoAugment,
    augMix,
    ...MIXERS.values(),
    switchMixers,
    repeat,
  ].map((element) => [element.name, element]),
);
