import { InputError, suggestion } from '../core/errors.ts';
import { digits } from './digits.ts';
import type { BuiltModel, NetworkOptions } from './layers.ts';
import { resnet } from './resnet.ts';

export interface BuildOptions extends Omit<NetworkOptions, 'inputSize'> {
  /** Side of the square input, in pixels. Default: the family's own. */
  readonly inputSize?: number;
  /**
   * Channels of the first stage (digits, ResNets), widening factor (Wide ResNets) or width multiplier
   * (MobileNets). Default: what the name says.
   */
  readonly width?: number;
  /** Layers, of the families whose name ends in a depth (`cifar_resnet`, `wide_resnet`). Default: what the name says. */
  readonly depth?: number;
}

interface Family {
  /** Matches the whole name; its groups are what `build` reads. */
  readonly pattern: RegExp;
  /** Names to list in messages and help. */
  readonly names: readonly string[];
  readonly description: string;
  inputSize(match: RegExpExecArray): number;
  build(match: RegExpExecArray, options: BuildOptions & { readonly inputSize: number }): BuiltModel;
}

const FAMILIES: readonly Family[] = [
  {
    pattern: /^digits$/,
    names: ['digits'],
    description: 'six convolutions, for digits of about 28x28',
    inputSize: () => 28,
    build: (match, options) => digits(match[0], options),
  },
  {
    pattern: /^cifar_resnet(\d+)?$/,
    names: ['cifar_resnet20', 'cifar_resnet32', 'cifar_resnet44', 'cifar_resnet56', 'cifar_resnet110'],
    description: 'ResNet of depth 6n+2 for 32x32',
    inputSize: () => 32,
    build(match, options) {
      const depth = options.depth ?? Number(match[1] ?? 20);
      if (depth < 8 || depth % 6 !== 2) throw new InputError(`A cifar_resnet has a depth of 6n+2 (8, 14, 20, ...), got ${depth}.`);
      const n = (depth - 2) / 6;
      return resnet(match[0], { width: 16, ...options, block: 'basic', depths: [n, n, n], stem: '3x3' });
    },
  },
  {
    pattern: /^resnet(18|34|50)(_3x3)?$/,
    names: ['resnet18', 'resnet34', 'resnet50', 'resnet18_3x3'],
    description: 'ResNet; with _3x3 the stem keeps the size, for images of about 32x32',
    inputSize: (match) => (match[2] === undefined ? 224 : 32),
    build(match, options) {
      const depths = match[1] === '18' ? [2, 2, 2, 2] : [3, 4, 6, 3];
      const block = match[1] === '50' ? 'bottleneck' : 'basic';
      return resnet(match[0], { ...options, block, depths, stem: match[2] === undefined ? 'imagenet' : '3x3' });
    },
  },
];

/** Names that `buildModel` takes, a line a family (patterns such as other depths are taken too). */
export const modelFamilies: readonly { readonly names: readonly string[]; readonly description: string }[] =
  FAMILIES.map(({ names, description }) => ({ names, description }));

/** Whether `buildModel` knows the name. */
export function isModelName(name: string): boolean {
  return FAMILIES.some((family) => family.pattern.test(name));
}

/** Side of the square input that the network `name` was made for, in pixels. @throws InputError for an unknown name. */
export function defaultInputSize(name: string): number {
  const { family, match } = findFamily(name);
  return family.inputSize(match);
}

/**
 * Builds a network by name, its weights drawn as its paper says, or all zero without a seed (to be
 * loaded). Input `input` [N, 3, S, S] float32, outputs `logits` [N, classes] and `embedding` [N, D].
 * @throws InputError for a name or depth that is not known, RangeError for a value out of range.
 * @example
 * const { graph, parameters } = buildModel('cifar_resnet20', { classes: 10, seed: 0 });
 */
export function buildModel(name: string, options: BuildOptions): BuiltModel {
  const { family, match } = findFamily(name);
  if (options.width !== undefined && !(options.width > 0))
    throw new RangeError(`width of ${name} must be above 0, got ${options.width}.`);
  return family.build(match, { ...options, inputSize: options.inputSize ?? family.inputSize(match) });
}

function findFamily(name: string): { family: Family; match: RegExpExecArray } {
  for (const family of FAMILIES) {
    const match = family.pattern.exec(name);
    if (match !== null) return { family, match };
  }
  const names = FAMILIES.flatMap((family) => family.names);
  throw new InputError(`There is no network "${name}"${suggestion(name, names)}. Known: ${names.join(', ')}.`);
}
