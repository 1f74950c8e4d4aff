import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { parsePolicy, type Policy } from '../../augment/policy.ts';
import { VariedCrops } from '../../batches/varied-crops.ts';
import { InputError, RunError, suggestion } from '../../core/errors.ts';
import { readSafetensorsFile, writeSafetensorsFile } from '../../core/safetensors.ts';
import { tensor, type Tensor } from '../../core/tensor.ts';
import type { Sample } from '../../datasets/dataset.ts';
import { combineViews } from '../../labelling/agreement.ts';
import { outlierScores, type Embedded, type OutlierScorer } from '../../evaluate/outliers.ts';
import { Predictor } from '../../export/predict.ts';
import { softmaxRows } from '../../evaluate/predictions.ts';
import { onPixels, type Network } from '../networks/network.ts';
import { answersOf, embedding, outlierScorerOf, type Embed, type OutlierImages } from '../results/outlier-scoring.ts';
import { outputsOf } from '../results/outputs.ts';
import type { TrainControl } from '../train-control.ts';
import type { Workshop } from '../workshop/workshop.ts';
import { workshopFor } from '../workshop/workshop-for.ts';

/** Who says what images show: a teacher, for one or several views of each, or several teachers. */
export interface Labeller {
  /** In the order of the samples. */
  answers(samples: readonly Sample[]): Promise<Answers>;
  /** How the network that labels embeds images, without asking it again about those that it has labelled; absent for several. */
  readonly embed?: Embed;
  /** Who labels once a student has learnt from these labels; absent: the student. */
  withStudent?(network: Network): Labeller;
}

export interface Answers {
  /** Of each view or model: probabilities [n, K]. */
  readonly views: readonly Float32Array[];
  /** [n] how little each image is like any of the classes; absent where a labeller can't tell. */
  readonly outliers?: Float32Array | undefined;
}

export interface Views {
  /** 1 is the image as evaluation sees it. */
  readonly count: number;
  /** Whether a mirrored image shows the same class. */
  readonly mirrored: boolean;
  readonly seed: number;
}

/** Smallest area of the crops that further views are. */
const VIEW_SCALE = 0.6;

/** Several, of which each has its say. */
export function labellers(all: readonly Labeller[]): Labeller {
  return {
    async answers(samples) {
      const answers: Answers[] = [];
      for (const one of all) answers.push(await one.answers(samples));
      return {
        views: answers.flatMap(({ views }) => views),
        outliers: answers.find(({ outliers }) => outliers !== undefined)?.outliers,
      };
    },
  };
}

/** On images as the network takes them. */
export function embedIn(workshop: Workshop, network: Network, maxPixels: number): Embed {
  return (samples) =>
    workshopFor(workshop, network.preprocessing, maxPixels, (own) => embedding(own, network)(samples));
}

/**
 * A network in training labels without any noise: it runs as it would be exported.
 * @param known images by which it tells what is none of the classes; absent: it does not
 */
export function networkLabeller(
  workshop: Workshop,
  network: Network,
  views: Views,
  maxPixels: number,
  known?: OutlierImages,
): Labeller & Required<Pick<Labeller, 'embed'>> {
  const graph = onPixels(network.graph, network.logits, network.preprocessing);
  const remembered = new RememberedEmbeddings();
  const embed = (own: Workshop, asked: readonly Sample[]): Promise<Embedded> =>
    remembered.complete(asked, embedding(own, network));
  let scorer: Promise<OutlierScorer> | undefined;
  return {
    answers: (samples) =>
      workshopFor(workshop, network.preprocessing, maxPixels, async (own) => {
        const { engine, pool, crops, onProgress, signal, track } = own;
        const { logits, embedded } = await answersOf(own, network, samples, 'label');
        remembered.add(samples, embedded);
        const classes = logits.length / samples.length;
        const answers = [softmaxRows(logits, classes)];
        for (const [at, policy] of furtherViews(views).entries()) {
          const varied = new VariedCrops(pool, crops, { seed: views.seed, stage: 'views' });
          const drawn = samples.map((sample) => ({ ...sample, policy, view: at + 1 }));
          const seen = await outputsOf(engine, graph, varied, drawn, { stage: 'label', onProgress, signal, track });
          answers.push(softmaxRows(seen.data as Float32Array, classes));
        }
        if (known === undefined) return { views: answers };
        scorer ??= outlierScorerOf((asked) => embed(own, asked), known, views.seed);
        return { views: answers, outliers: outlierScores(await scorer, embedded) };
      }),
    embed: (asked) => workshopFor(workshop, network.preprocessing, maxPixels, (own) => embed(own, asked)),
  };
}

/** Numbers that are remembered, at most: 256 MB. */
const MOST_REMEMBERED = 2 ** 26;

/** How a network embeds the images that it was asked about. */
class RememberedEmbeddings {
  readonly #rows = new Map<string, Float32Array>();

  add(samples: readonly Sample[], { data, width }: Embedded): void {
    if (this.#rows.size * width + data.length > MOST_REMEMBERED) return;
    for (const [i, { id }] of samples.entries()) this.#rows.set(id, data.subarray(i * width, (i + 1) * width));
  }

  /** Those that are not remembered are embedded. */
  async complete(samples: readonly Sample[], embed: Embed): Promise<Embedded> {
    const missing = samples.filter(({ id }) => !this.#rows.has(id));
    if (missing.length === samples.length) return embed(samples);
    const rows = new Map(this.#rows);
    if (missing.length > 0) {
      const { data, width } = await embed(missing);
      for (const [i, { id }] of missing.entries()) rows.set(id, data.subarray(i * width, (i + 1) * width));
    }
    const width = rows.get(samples[0]!.id)!.length;
    const data = new Float32Array(samples.length * width);
    for (const [i, { id }] of samples.entries()) data.set(rows.get(id)!, i * width);
    return { data, width };
  }
}

/**
 * Models that were exported, each asked as `predict` asks it.
 * @throws InputError for a model of other classes, RunError for an image that can't be read any more
 */
export function modelLabeller(
  files: readonly string[],
  classes: readonly string[],
  { maxPixels, threads }: { readonly maxPixels: number; readonly threads: number },
  { signal, onProgress }: TrainControl,
): Labeller {
  return {
    async answers(samples) {
      const answers: Float32Array[] = [];
      const outliers = new Float32Array(samples.length);
      let isScored = files.length === 1;
      for (const file of files) {
        await using predictor = await Predictor.open(file, { maxPixels, threads, device: 'cpu' });
        isScored &&= predictor.scoresOutliers;
        const probabilities = new Float32Array(samples.length * classes.length);
        let done = 0;
        for await (const answer of predictor.predictAll(
          samples.map((sample) => sample.file),
          signal ? { signal } : {},
        )) {
          if ('error' in answer)
            throw new RunError(`${answer.file} could be read before and can't be now: ${answer.error}.`);
          for (const [k, name] of classes.entries())
            probabilities[done * classes.length + k] = answer.probabilities[name]!;
          outliers[done] = answer.outlierScore ?? 0;
          done++;
          onProgress?.({ type: 'step', stage: 'label', done, total: samples.length, unit: 'images' });
        }
        answers.push(probabilities);
      }
      return { views: answers, ...(isScored && { outliers }) };
    },
  };
}

/** @throws InputError for a model that is none, or whose classes are not those of the data */
export async function checkTeachers(files: readonly string[], classes: readonly string[]): Promise<void> {
  for (const file of files) {
    await using predictor = await Predictor.open(file, { device: 'cpu', threads: 1 });
    const known = predictor.classes;
    const missing = classes.filter((name) => !known.includes(name));
    const other = known.filter((name) => !classes.includes(name));
    if (missing.length > 0)
      throw new InputError(
        `The teacher ${file} does not know ${missing.map((name) => `"${name}"${suggestion(name, known)}`).join(', ')} of the data. It knows: ${known.join(', ')}.`,
      );
    if (other.length > 0)
      throw new InputError(
        `The teacher ${file} knows ${other.map((name) => `"${name}"`).join(', ')}, which the data has no labelled image of: its labels would name classes that are not trained.`,
      );
  }
}

/** What a labeller says of samples: the mean of its answers, and which share of them agree with it. */
export interface Answer {
  /** [n, K] */
  readonly probabilities: Float32Array;
  /** [n] 0..1 */
  readonly agreement: Float32Array;
  /** [n] as `Answers` has them. */
  readonly outliers?: Float32Array | undefined;
}

/** Asked once; kept in `file`, where there is one. */
export async function answerOf(
  labeller: Labeller,
  samples: readonly Sample[],
  classes: number,
  folder?: string,
): Promise<Answer> {
  const file = folder === undefined ? undefined : join(folder, 'answers.safetensors');
  if (file !== undefined && existsSync(file)) {
    const { tensors } = await readSafetensorsFile(file, { requireChecksum: true });
    return {
      probabilities: tensors.get('probabilities')!.data as Float32Array,
      agreement: tensors.get('agreement')!.data as Float32Array,
      outliers: tensors.get('outliers')?.data as Float32Array | undefined,
    };
  }
  const { views, outliers } = await labeller.answers(samples);
  const answer = { ...combineViews(views, classes), outliers };
  if (file !== undefined)
    await writeSafetensorsFile(file, [
      ['probabilities', tensor('float32', [samples.length, classes], answer.probabilities)],
      ['agreement', tensor('float32', [samples.length], answer.agreement)],
      ...(outliers ? [['outliers', tensor('float32', [samples.length], outliers)] as [string, Tensor]] : []),
    ]);
  return answer;
}

/** Beside the image itself: mirrored and cropped ones. */
function furtherViews({ count, mirrored }: Views): Policy[] {
  return Array.from({ length: count - 1 }, (_, at) => {
    const view = at + 1;
    const flip = mirrored && view % 2 === 1 ? '|flip(p=1)' : '';
    const isCropped = view > 1 || !mirrored;
    return parsePolicy(`evaluationcrop${isCropped ? `|randomresizedcrop(scale=${VIEW_SCALE}..1)` : ''}${flip}`);
  });
}
