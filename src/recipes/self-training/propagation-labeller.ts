import type { Sample } from '../../datasets/dataset.ts';
import { propagateLabels } from '../../labelling/label-propagation.ts';
import { embeddingsOf, type Labeller } from './labeller.ts';
import type { Network } from '../network.ts';
import type { LabelledSample } from '../prepare-data.ts';
import type { Workshop } from '../workshop.ts';

/**
 * Labels that spread from labelled images over the graph of nearest embeddings (`propagateLabels`), of which all images
 * without a label are part, whichever are asked about.
 */
export function propagationLabeller(
  workshop: Workshop,
  network: Network,
  {
    labelled,
    pool,
    classes,
  }: {
    readonly labelled: readonly LabelledSample[];
    readonly pool: readonly Sample[];
    readonly classes: number;
  },
  maxPixels: number,
): Labeller {
  const embeddings = (samples: readonly Sample[]): ReturnType<typeof embeddingsOf> =>
    embeddingsOf(workshop, network, samples, maxPixels);
  let ofGraph: ReturnType<typeof embeddingsOf> | undefined;
  return {
    async answers(samples) {
      const graph = [...labelled, ...pool];
      ofGraph ??= embeddings(graph);
      const { data, shape } = await ofGraph;
      const rowOf = new Map(graph.map(({ id }, row) => [id, row]));
      const further = samples.filter(({ id }) => !rowOf.has(id));
      for (const [i, { id }] of further.entries()) rowOf.set(id, graph.length + i);
      const width = shape[1]!;
      const all = new Float32Array((graph.length + further.length) * width);
      all.set(data as Float32Array);
      if (further.length > 0) all.set((await embeddings(further)).data as Float32Array, graph.length * width);
      const labels = [
        ...labelled.map(({ label }) => label),
        ...Array.from({ length: pool.length + further.length }, () => undefined),
      ];
      const cancel = workshop.signal ? { signal: workshop.signal } : {};
      const { probabilities } = await propagateLabels(all, width, labels, classes, cancel);
      const found = new Float32Array(samples.length * classes);
      for (const [i, { id }] of samples.entries()) {
        const row = rowOf.get(id)!;
        found.set(probabilities.subarray(row * classes, (row + 1) * classes), i * classes);
      }
      return { views: [found] };
    },
  };
}
