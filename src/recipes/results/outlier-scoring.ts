import { shuffled, randomStream } from '../../core/random.ts';
import type { Sample } from '../../datasets/dataset.ts';
import { fitOutlierScorer, outlierScores, type Embedded, type OutlierScorer } from '../../evaluate/outliers.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { Network } from '../networks/network.ts';
import { onPixels } from '../networks/network.ts';
import { outputsOf } from './outputs.ts';
import type { LabelledSample } from '../prepare-data.ts';
import type { Workshop } from '../workshop/workshop.ts';

/** Labelled images that say what the classes look like, in all; of a class, ten at least. */
const KNOWN_IMAGES = 1000;
const FEWEST_OF_CLASS = 10;
/** Images without a label that tell what images are like in general. */
const BACKGROUND_IMAGES = 1000;

/** Which images say what is known, and what is usual. */
export interface OutlierImages {
  readonly train: readonly LabelledSample[];
  readonly unlabeled: readonly Sample[];
}

/** Name of the output of a network in training that is its embedding [N, D]. */
export function embeddingName({ graph, logits }: Network): string {
  return graph.outputs.find(({ name }) => name !== logits)!.name;
}

/** Logits [n, K] and embedding of images, in one pass. */
export async function answersOf(
  { engine, crops, onProgress, signal, track }: Workshop,
  network: Network,
  samples: readonly Sample[],
  stage: string,
): Promise<{ readonly logits: Float32Array; readonly embedded: Embedded }> {
  const b = GraphBuilder.from(network.graph);
  const both = b.op('Concat', [network.logits, embeddingName(network)], { axis: 1 }, { name: 'logits_and_embedding' });
  b.output(both);
  const graph = onPixels(b.build(), both, network.preprocessing);
  const classes = network.graph.outputs.find(({ name }) => name === network.logits)!.type.shape![1] as number;
  const { data, shape } = await outputsOf(engine, graph, crops, samples, { stage, onProgress, signal, track });
  const all = data as Float32Array;
  const [width, count] = [(shape[1] ?? classes) - classes, samples.length];
  const logits = new Float32Array(count * classes);
  const embedding = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    const row = all.subarray(i * (classes + width), (i + 1) * (classes + width));
    logits.set(row.subarray(0, classes), i * classes);
    embedding.set(row.subarray(classes), i * width);
  }
  return { logits, embedded: { data: embedding, width } };
}

/** Images as a network embeds them, in the order of the samples. */
export type Embed = (samples: readonly Sample[]) => Promise<Embedded>;

/** Tells images of none of the classes by a network's embedding. @param seed of which unlabelled images are looked at */
export async function outlierScorerOf(
  embed: Embed,
  { train, unlabeled }: OutlierImages,
  seed: number,
): Promise<OutlierScorer> {
  const known = someOfEachClass(train);
  const usual = shuffled(unlabeled, randomStream(seed, 'outliers', 'background')).slice(0, BACKGROUND_IMAGES);
  const { data, width } = await embed([...known, ...usual]);
  const own = { data: data.subarray(0, known.length * width), width };
  const labels = known.map(({ label }) => label);
  return fitOutlierScorer(own, labels, data.subarray(known.length * width));
}

function someOfEachClass(samples: readonly LabelledSample[]): LabelledSample[] {
  const classes = new Set(samples.map(({ label }) => label)).size;
  const most = Math.max(FEWEST_OF_CLASS, Math.ceil(KNOWN_IMAGES / classes));
  const counts = new Map<number, number>();
  return samples.filter(({ label }) => {
    const count = (counts.get(label) ?? 0) + 1;
    counts.set(label, count);
    return count <= most;
  });
}

export function embedding(workshop: Workshop, network: Network): Embed {
  return async (samples) => (await answersOf(workshop, network, samples, 'embeddings')).embedded;
}

/** Scores of images that neither the network nor the scorer has seen. */
export async function heldOutlierScores(
  workshop: Workshop,
  network: Network,
  images: OutlierImages,
  held: readonly Sample[],
  seed: number,
): Promise<Float32Array> {
  const embed = embedding(workshop, network);
  const scorer = await outlierScorerOf(embed, images, seed);
  return outlierScores(scorer, await embed(held));
}

/** Out-of-fold scores [N] of labelled images whose embeddings do not depend on the labels. @param foldOf [N] */
export function outOfFoldOutlierScores(
  { data, width }: Embedded,
  labels: readonly number[],
  foldOf: readonly number[],
): Float32Array {
  const scores = new Float32Array(labels.length);
  const rowsOf = (rows: readonly number[]): Float32Array => {
    const result = new Float32Array(rows.length * width);
    for (const [at, row] of rows.entries()) result.set(data.subarray(row * width, (row + 1) * width), at * width);
    return result;
  };
  for (const fold of new Set(foldOf)) {
    const rows = [...labels.keys()];
    const inside = rows.filter((row) => foldOf[row] !== fold);
    const held = rows.filter((row) => foldOf[row] === fold);
    const scorer = fitOutlierScorer(
      { data: rowsOf(inside), width },
      inside.map((row) => labels[row]!),
    );
    for (const [at, score] of outlierScores(scorer, { data: rowsOf(held), width }).entries()) scores[held[at]!] = score;
  }
  return scores;
}
