import { tensor, type Tensor } from '../../core/tensor.ts';
import type { Sample } from '../../datasets/dataset.ts';
import { MOST_NEIGHBOURS, PropagationGraph, type Spread } from '../../labelling/label-propagation.ts';
import { nearestRows } from '../nearest-rows.ts';
import { embeddingsOf, type Labeller } from './labeller.ts';
import type { Network } from '../network.ts';
import type { LabelledSample } from '../prepare-data.ts';
import type { Workshop } from '../workshop.ts';

/** Images as a network embeds them, and the graph of the nearest among them; made when it is first asked for, and once. */
export class EmbeddedImages {
  readonly samples: readonly Sample[];
  readonly #workshop: Workshop;
  readonly #network: Network;
  readonly #maxPixels: number;
  #embeddings: Promise<Tensor> | undefined;
  #graph: Promise<PropagationGraph> | undefined;

  constructor(workshop: Workshop, network: Network, samples: readonly Sample[], maxPixels: number) {
    this.#workshop = workshop;
    this.#network = network;
    this.samples = samples;
    this.#maxPixels = maxPixels;
  }

  graph(): Promise<PropagationGraph> {
    this.#graph ??= this.#embedded().then((embeddings) => this.#graphOf(embeddings));
    return this.#graph;
  }

  /** The graph of these images and of further ones, whose rows come last. */
  async graphWith(further: readonly Sample[]): Promise<PropagationGraph> {
    if (further.length === 0) return this.graph();
    const [own, others] = [await this.#embedded(), await this.#embed(further)];
    const all = new Float32Array(own.data.length + others.data.length);
    all.set(own.data as Float32Array);
    all.set(others.data as Float32Array, own.data.length);
    return this.#graphOf(tensor('float32', [own.shape[0]! + others.shape[0]!, own.shape[1]!], all));
  }

  #embedded(): Promise<Tensor> {
    this.#embeddings ??= this.#embed(this.samples);
    return this.#embeddings;
  }

  #embed(samples: readonly Sample[]): Promise<Tensor> {
    return embeddingsOf(this.#workshop, this.#network, samples, this.#maxPixels);
  }

  #graphOf(embeddings: Tensor): Promise<PropagationGraph> {
    return propagationGraph(this.#workshop, embeddings);
  }
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
