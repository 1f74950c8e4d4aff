import { InputError, suggestion } from '../../core/errors.ts';
import { growingFamilies, isModelName, modelFamilies } from '../../models/registry.ts';
import type { TrainOptions } from '../train-options.ts';

/** The options of `train` that say which network a round trains, from scratch or from a backbone. */
export type RoundNetwork = Pick<TrainOptions, 'model' | 'backbone' | 'inputSize'>;

/**
 * The network of each round of self-training, whose students are as large as the teacher or larger (Xie et al. 2019,
 * Noisy Student, https://arxiv.org/abs/1911.04252).
 * @param grow networks by rising size with commas between them: names of built-in ones, and files, URLs or `hf:owner/repo` of
 *   backbones, each with `@SIDE` for another input side than its own (`cifar_resnet20@40`); or one built-in network, from which its
 *   family is gone up. When they run out, the last one stays.
 * @throws InputError for a network that is not known, more of them than rounds, or a single one without a family that grows;
 *   RangeError without rounds.
 * @example
 * networksOfRounds('cifar_resnet8@24', 3); // cifar_resnet8, 20 and 32, at 24 pixels
 */
export function networksOfRounds(grow: string, rounds: number): RoundNetwork[] {
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new RangeError(`Growth takes 1 round or more, got ${rounds}.`);
  const named = grow.split(',').map((entry) => roundNetwork(entry.trim(), `--grow ${grow}`));
  const networks = named.length === 1 ? familyFrom(named[0]!) : named;
  if (named.length > rounds)
    throw new InputError(`${named.length} networks (--grow ${grow}) take as many rounds, got ${rounds}.`);
  return Array.from({ length: rounds }, (_, round) => networks[Math.min(round, networks.length - 1)]!);
}

/** One of these networks. @param where it was named, for messages @throws InputError for one that is not known */
export function roundNetwork(entry: string, where: string): RoundNetwork {
  const [, name, side] = /^(.*?)(?:@(\d+))?$/.exec(entry) as unknown as [string, string, string | undefined];
  const size = side === undefined ? {} : { inputSize: Number(side) };
  if (isModelName(name)) return { model: name, ...size };
  // A place has a slash, a dot or a colon; no built-in name has.
  if (/[/\\.:]/.test(name)) return { backbone: name, ...size };
  const names = modelFamilies.flatMap((family) => family.names);
  throw new InputError(
    `There is no network "${name}"${suggestion(name, names)} (${where}). Expected names of built-in networks (${names.join(', ')}) or files of backbones.`,
  );
}

function familyFrom({ model, backbone, ...size }: RoundNetwork): RoundNetwork[] {
  const family = growingFamilies.find((names) => model !== undefined && names.includes(model));
  if (family === undefined)
    throw new InputError(
      `"${model ?? backbone}" alone does not say how to grow (--grow): give a list by rising size, or begin with one of ${growingFamilies.flat().join(', ')}.`,
    );
  return family.slice(family.indexOf(model!)).map((name) => ({ model: name, ...size }));
}
