import { tensor, type Tensor } from '../../core/tensor.ts';
import { rowsOfLengthOne } from '../../core/rows-of-length-one.ts';
import type { Sample } from '../../datasets/dataset.ts';
import { MOST_NEIGHBOURS, PropagationGraph, type Spread } from '../../labelling/label-propagation.ts';
import { nearestRows } from '../nearest-rows.ts';
import { embedIn, type Labeller } from './labeller.ts';
import type { Network } from '../networks/network.ts';
import type { LabelledSample } from '../prepare-data.ts';
import type { Workshop } from '../workshop/workshop.ts';

/** Images as a network embeds them, or several side by side, and the graph of the nearest among them; made when first asked for, and once. */
export class EmbeddedImages {
  readonly samples: readonly Sample[];
  readonly #workshop: Workshop;
  readonly #networks: readonly Network[];
  readonly #maxPixels: number;
  /** By network, [N, D]; shared with those that have the same network. */
  readonly #embeddings: Map<Network, Promise<Tensor>>;
  #graph: Promise<PropagationGraph> | undefined;

  constructor(
    workshop: Workshop,
    networks: Network | readonly Network[],
    samples: readonly Sample[],
    maxPixels: number,
    embeddings: Map<Network, Promise<Tensor>> = new Map(),
  ) {
    this.#workshop = workshop;
    this.#networks = [networks].flat();
    this.samples = samples;
    this.#maxPixels = maxPixels;
    this.#embeddings = embeddings;
  }

  /** The same images as the first network and another one embed them. */
  beside(network: Network): EmbeddedImages {
    const first = this.#networks[0]!;
    const known = new Map([...this.#embeddings].filter(([of]) => of === first));
    return new EmbeddedImages(this.#workshop, [first, network], this.samples, this.#maxPixels, known);
  }

  graph(): Promise<PropagationGraph> {
    this.#graph ??= this.#embedded().then((embeddings) => this.#graphOf(embeddings));
    return this.#graph;
  }

  /** The graph of these images and of further ones, whose rows come last. */
  async graphWith(further: readonly Sample[]): Promise<PropagationGraph> {
    if (further.length === 0) return this.graph();
    const all: Tensor[] = [];
    for (const [i, own] of (await this.#embedded()).entries())
      all.push(stacked(own, await this.#embed(this.#networks[i]!, further)));
    return this.#graphOf(all);
  }

  async #embedded(): Promise<Tensor[]> {
    const all: Tensor[] = [];
    for (const network of this.#networks) {
      const rows = this.#embeddings.get(network) ?? this.#embed(network, this.samples);
      this.#embeddings.set(network, rows);
      all.push(await rows);
    }
    return all;
  }

  async #embed(network: Network, samples: readonly Sample[]): Promise<Tensor> {
    const { data, width } = await embedIn(this.#workshop, network, this.#maxPixels)(samples);
    return tensor('float32', [samples.length, width], data);
  }

  #graphOf(embeddings: readonly Tensor[]): Promise<PropagationGraph> {
    return propagationGraph(this.#workshop, sideBySide(embeddings));
  }
}

function stacked(first: Tensor, second: Tensor): Tensor {
  const all = new Float32Array(first.data.length + second.data.length);
  all.set(first.data as Float32Array);
  all.set(second.data as Float32Array, first.data.length);
  return tensor('float32', [first.shape[0]! + second.shape[0]!, first.shape[1]!], all);
}

/**
 * What several networks say of the same images as one row each: less their means and brought to length 1, so that each has the same
 * say in a cosine. Of one network, its own rows.
 */
export function sideBySide(all: readonly Tensor[]): Tensor {
  if (all.length === 1) return all[0]!;
  const rows = all[0]!.shape[0]!;
  const parts = all.map(({ data, shape }) => ({
    data: centredRows(data as Float32Array, shape[1]!),
    width: shape[1]!,
  }));
  const width = parts.reduce((sum, part) => sum + part.width, 0);
  const joined = new Float32Array(rows * width);
  let at = 0;
  for (const { data, width: own } of parts) {
    for (let row = 0; row < rows; row++) joined.set(data.subarray(row * own, (row + 1) * own), row * width + at);
    at += own;
  }
  return tensor('float32', [rows, width], joined);
}

/** Less the mean of each column, then of length 1. */
function centredRows(data: Float32Array, width: number): Float64Array {
  const rows = data.length / width;
  const means = new Float64Array(width);
  for (const [i, value] of data.entries()) means[i % width]! += value / rows;
  return rowsOfLengthOne(
    data.map((value, i) => value - means[i % width]!),
    width,
  );
}

/** The graph of rows [N, D], whose neighbours the engine finds. */
export async function propagationGraph(
  { engine, signal }: Pick<Workshop, 'engine' | 'signal'>,
  { data, shape }: Tensor,
): Promise<PropagationGraph> {
  const [rows, width] = shape as [number, number];
  const count = Math.min(MOST_NEIGHBOURS, rows - 1);
  const embedded = { data: data as Float32Array, width };
  const found = await nearestRows(engine, embedded, embedded, count, true, signal ? { signal } : {});
  const indices = Int32Array.from(found.flatMap((near) => near.map(({ row }) => row)));
  const similarities = Float32Array.from(found.flatMap((near) => near.map(({ similarity }) => similarity)));
  return new PropagationGraph(embedded.data, width, { indices, similarities });
}

/**
 * Labels that spread from labelled images over the graph of nearest embeddings (`PropagationGraph`), of which all embedded
 * images are part, whichever are asked about.
 */
export class PropagationLabeller implements Labeller {
  readonly #images: EmbeddedImages;
  readonly #labelled: readonly LabelledSample[];
  readonly #classes: number;
  #spread: Promise<Spread> | undefined;

  /** @param images all of `labelled` among them */
  constructor(images: EmbeddedImages, labelled: readonly LabelledSample[], classes: number) {
    this.#images = images;
    this.#labelled = labelled;
    this.#classes = classes;
  }

  /** Of labels that spread among images as the first network and another one see them. */
  beside(network: Network): PropagationLabeller {
    return new PropagationLabeller(this.#images.beside(network), this.#labelled, this.#classes);
  }

  /** Share of labelled images held in turn that are labelled rightly; undefined where there are too few to hold any. */
  async heldRight(): Promise<number | undefined> {
    return (await this.#spreadOver([])).heldRight;
  }

  async answers(samples: readonly Sample[]): ReturnType<Labeller['answers']> {
    const rowOf = new Map(this.#images.samples.map(({ id }, row) => [id, row]));
    const further = samples.filter(({ id }) => !rowOf.has(id));
    for (const [i, { id }] of further.entries()) rowOf.set(id, this.#images.samples.length + i);
    const { probabilities } = await this.#spreadOver(further);
    const classes = this.#classes;
    const found = new Float32Array(samples.length * classes);
    for (const [i, { id }] of samples.entries()) {
      const row = rowOf.get(id)!;
      found.set(probabilities.subarray(row * classes, (row + 1) * classes), i * classes);
    }
    return { views: [found] };
  }

  /** Over the images and further ones, whose rows come last; over the images alone it is done once. */
  #spreadOver(further: readonly Sample[]): Promise<Spread> {
    if (further.length > 0) return this.#spreadNow(further);
    this.#spread ??= this.#spreadNow(further);
    return this.#spread;
  }

  async #spreadNow(further: readonly Sample[]): Promise<Spread> {
    const labelOf = new Map(this.#labelled.map(({ id, label }) => [id, label]));
    const labels = [...this.#images.samples, ...further].map(({ id }) => labelOf.get(id));
    return (await this.#images.graphWith(further)).spread(labels, this.#classes);
  }
}

/**
 * A labeller for all rounds: a student that has learnt from labels that spread errs on other images than they do, so the next ones
 * spread among images as both see them.
 */
export function spreadingOn(labeller: PropagationLabeller): Labeller {
  return {
    answers: (samples) => labeller.answers(samples),
    withStudent: (network) => spreadingOn(labeller.beside(network)),
  };
}
