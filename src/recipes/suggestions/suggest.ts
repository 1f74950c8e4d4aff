import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { principalComponents } from '../../audit/principal-components.ts';
import { InputError } from '../../core/errors.ts';
import { randomStream, shuffled } from '../../core/random.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { CurveFit } from '../../evaluate/learning-curve.ts';
import { softmaxRows } from '../../evaluate/predictions.ts';
import type { Probabilities } from '../../labelling/probabilities.ts';
import { suggestImages, type Suggestion } from '../../labelling/suggest-images.ts';
import type { Engine } from '../../runtime/engine.ts';
import { backboneFeatures } from '../probe/backbone-features.ts';
import { optionsOfRun } from '../continue-training.ts';
import { plannedFeatures } from '../plan/decisions.ts';
import { rowsOf } from '../probe/features.ts';
import { withEngine } from '../workshop/in-workshop.ts';
import { measuredCurve } from './learning-curve.ts';
import { fitLinearProbe, headLogits, type ProbeResult } from '../probe/linear-probe.ts';
import { foldNumbers } from '../probe/out-of-fold.ts';
import { prepareData, type TrainingData } from '../prepare-data.ts';
import { resolveSuggestOptions, type SuggestOptions } from './suggest-options.ts';
import type { TrainControl } from '../train-control.ts';

export type { SuggestOptions } from './suggest-options.ts';

/** An image that is worth a label, the most useful first. */
export interface Suggested extends Omit<Suggestion, 'index'> {
  /** Relative to the data. */
  readonly file: string;
  /** The likeliest class so far, and its probability. */
  readonly likely: string;
  readonly probability: number;
  /** In words. */
  readonly reason: string;
}

export interface SuggestResult {
  readonly type: 'result';
  readonly run: string;
  /** Labels so far, and images without one that may be asked about. */
  readonly labels: number;
  readonly unlabeled: number;
  readonly suggestions: readonly Suggested[];
  /** What further labels should bring; null where there are too few labels, or no backbone, to tell. */
  readonly learningCurve: CurveFit | null;
}

/** Dimensions that images are grouped in, and images that these are found by. */
const DIMENSIONS = 64;
const SAMPLED = 2000;
const FOLDS = 5;

/**
 * Ranks the unlabelled images of a run by what their labels should bring (`suggestImages`), and says what that is: a
 * learning curve of cross-validated accuracy, at the level of a linear head on frozen features. Features are those of the
 * run's backbone (of a plan: of the one that it took); of a run without one, of its own network.
 * @throws InputError where there is no such run or no unlabelled image; AbortedError
 * @example
 * const { suggestions } = await suggest('runs/001', { count: 50 });
 * await writeFile('to-label.csv', suggestionRows(suggestions));
 */
export async function suggest(
  run: string,
  given: SuggestOptions = {},
  control: TrainControl = {},
): Promise<SuggestResult> {
  const { count, seed, device, threads } = resolveSuggestOptions(given);
  const options = { ...(await optionsOfRun(run, 'give a run of "gleaner train"')), ...(await plannedFeatures(run)) };
  const model = join(run, 'model.onnx');
  const backbone = options.backbone ?? model;
  if (backbone === model && !existsSync(model))
    throw new InputError(`${run} has no model yet: let it finish first (gleaner train --resume ${run}).`);
  const data = await prepareData(options, control, { useUnlabeled: true });
  const { classes, train } = data;
  const unlabeled = withoutKnownCopies(data);
  if (unlabeled.length === 0) throw new InputError(`${options.data} has no unlabelled image that could be suggested.`);
  const machine = { device, ...(threads !== undefined && { threads }) };
  return withEngine(machine, control, undefined, async (engine) => {
    const images = [...train, ...unlabeled];
    // What options say of preprocessing is of the backbone; a deployed model has its own.
    const how = options.backbone === undefined ? { maxPixels: options.maxPixels } : options;
    const features = await backboneFeatures(engine, backbone, images, how, control);
    const ranking = { embeddings: reduced(features, seed), count, seed, signal: control.signal };
    const { picked, probabilities, head } = await rankImages(engine, features, data, ranking);
    const isOwn = options.backbone === undefined;
    const learningCurve = isOwn
      ? undefined
      : await measuredCurve(engine, features, data, {
          strength: head.strength,
          ahead: count,
          seed,
          signal: control.signal,
        });
    return {
      type: 'result',
      run,
      labels: train.length,
      unlabeled: unlabeled.length,
      suggestions: picked.map(({ index, ...why }) => {
        const row = probabilities.subarray(index * classes.length, (index + 1) * classes.length);
        const likely = row.indexOf(Math.max(...row));
        return {
          file: images[index]!.id,
          likely: classes[likely]!,
          probability: row[likely]!,
          ...why,
          reason: reasonOf(why),
        };
      }),
      learningCurve: learningCurve ?? null,
    };
  });
}

export interface Ranking {
  /** By row of the features. */
  readonly picked: readonly Suggestion[];
  /** A probe on the labels so far, and what it says of all images: [N, K]. */
  readonly head: ProbeResult;
  readonly probabilities: Probabilities;
}

/**
 * Ranks images by what their labels should bring.
 * @param features [N, D] of the labelled images in the order of `data.train`, then of those that may be asked about
 */
export async function rankImages(
  engine: Engine,
  features: Tensor,
  data: Pick<TrainingData, 'train' | 'classes' | 'duplicates'>,
  {
    embeddings,
    count,
    seed,
    signal,
  }: {
    /** [N, d] of the same images, `reduced`. */
    readonly embeddings: Float64Array;
    readonly count: number;
    readonly seed: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Ranking> {
  const { train, classes } = data;
  const head = await fitLinearProbe(
    engine,
    rowsOf(features, [...train.keys()]),
    train.map(({ label }) => label),
    classes.length,
    { foldOf: foldNumbers(train, data, FOLDS, seed), ...(signal && { signal }) },
  );
  const probabilities = softmaxRows(headLogits(features, head), classes.length);
  const known = Array.from({ length: features.shape[0]! }, (_, i) => i < train.length);
  const input = { embeddings, known, probabilities, classes: classes.length };
  return { picked: suggestImages(input, count, randomStream(seed, 'suggest')), probabilities, head };
}

/** One of each group of copies, none where one has a label: the others would be bought twice. */
function withoutKnownCopies({ train, unlabeled, duplicates }: TrainingData): TrainingData['unlabeled'] {
  const labelled = new Set(train.map(({ id }) => id));
  const open = new Set(unlabeled.map(({ id }) => id));
  const copies = new Set(
    duplicates.copies.flatMap((group) => {
      const own = group.filter((id) => open.has(id));
      return group.some((id) => labelled.has(id)) ? own : own.slice(1);
    }),
  );
  return unlabeled.filter(({ id }) => !copies.has(id));
}

/** Leading principal components of features at equal spread, found by a sample of the images: [N, 64]. */
export function reduced(features: Tensor, seed: number): Float64Array {
  const [rows, width] = features.shape as [number, number];
  const data = features.data as Float32Array;
  const row = (i: number): Float32Array => data.subarray(i * width, (i + 1) * width);
  const sample = shuffled(Array.from({ length: rows }, (_, i) => i), randomStream(seed, 'components')).slice(0, SAMPLED); // prettier-ignore
  const deviation = deviations(sample.map(row), width);
  const scaled = (values: Float32Array): Float64Array => Float64Array.from(values, (x, f) => x / deviation[f]!);
  const components = principalComponents(
    sample.map((i) => scaled(row(i))),
    DIMENSIONS,
  );
  const dimensions = components.apply(scaled(row(0))).length;
  const result = new Float64Array(rows * dimensions);
  for (let i = 0; i < rows; i++) result.set(components.apply(scaled(row(i))), i * dimensions);
  return result;
}

/** Of each column; at least a thousandth of the largest, so that a constant column is no noise blown up. */
function deviations(rows: readonly Float32Array[], width: number): Float64Array {
  const mean = new Float64Array(width);
  const square = new Float64Array(width);
  for (const row of rows) for (let f = 0; f < width; f++) mean[f]! += row[f]! / rows.length;
  for (const row of rows) for (let f = 0; f < width; f++) square[f]! += (row[f]! - mean[f]!) ** 2 / rows.length;
  const floor = 1e-3 * Math.sqrt(Math.max(...square)) + 1e-12;
  return square.map((value) => Math.max(Math.sqrt(value), floor));
}

function reasonOf({ uncertainty, typicality, alike, alikeKnown }: Omit<Suggestion, 'index'>): string {
  const unsure = uncertainty > 0.8 ? 'hardly decided' : uncertainty > 0.4 ? 'unsure' : 'rather sure';
  return (
    `stands for ${alike} alike images, of which ${alikeKnown === 0 ? 'none is' : `${alikeKnown} are`} labelled ` +
    `(typicality ${typicality.toFixed(2)}); the model is ${unsure} (uncertainty ${uncertainty.toFixed(2)})`
  );
}
