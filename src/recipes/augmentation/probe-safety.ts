import { VariedCrops, type VariedSource } from '../../batches/varied-crops.ts';
import { randomStream, shuffled } from '../../core/random.ts';
import type { Operation } from '../../augment/operation.ts';
import { OPERATIONS } from '../../augment/operations.ts';
import { judgeViews, type SafetyLimits, type ViewOutcome, type ViewSafety } from '../../augment/safety.ts';
import { singleView } from '../../augment/single-view.ts';
import { parsePolicy, type Policy } from '../../augment/policy.ts';
import { wilsonInterval } from '../../evaluate/interval.ts';
import { onPixels, type Network } from '../networks/network.ts';
import { outputsOf } from '../results/outputs.ts';
import type { Fold, LabelledSample } from '../prepare-data.ts';
import type { Workshop } from '../workshop/workshop.ts';

export interface SafetyRequest {
  readonly classes: readonly string[];
  readonly folds: readonly Fold[];
  /** A network trained on all images of a fold but the held ones. */
  readonly networkOf: (fold: Fold, index: number) => Promise<Network>;
  readonly seed: number;
  /** Images looked at, at most; the same number of each class as far as there are. */
  readonly images: number;
  readonly limits?: SafetyLimits;
}

export interface Safety {
  readonly images: number;
  /** Of these, the share that is recognised as it is. */
  readonly accuracy: number;
  /** Of each operation, from its strongest level down to the first that is safe. */
  readonly views: readonly ViewSafety[];
}

/** Levels at which an operation is tried, the strongest first: RandAugment's magnitudes 30, 20 and 10. */
const LEVELS = [1, 2 / 3, 1 / 3];

interface View {
  readonly operation: string;
  readonly level: number | undefined;
  readonly isRisky: boolean;
  readonly policy: Policy;
}

/**
 * Tries every operation on images that a network was not trained on. What is not safe at a level is tried at a lower one.
 * @throws AbortedError, RunError as `outputsOf`
 */
export async function probeSafety(workshop: Workshop, request: SafetyRequest): Promise<Safety> {
  const { classes, folds, seed, limits } = request;
  const chosen = new Set(
    sampleOf(
      folds.flatMap(({ held }) => held),
      classes.length,
      request.images,
      seed,
    ),
  );
  const parts = folds.map(({ held }) => held.filter((sample) => chosen.has(sample)));
  const labels = parts.flat().map(({ label }) => label);
  const networks: Network[] = [];
  for (const [i, fold] of folds.entries()) networks.push(await request.networkOf(fold, i));

  /** Classes predicted under each view, in the order of `labels`. */
  const predict = async (views: readonly View[]): Promise<number[][]> => {
    const results = views.map((): number[] => []);
    for (const [i, network] of networks.entries()) {
      const images = parts[i]!;
      if (images.length === 0) continue;
      const graph = onPixels(network.graph, network.logits, network.preprocessing);
      const sources = views.flatMap(({ policy }, view) =>
        images.map((sample): VariedSource => ({ ...sample, policy, view })),
      );
      const crops = new VariedCrops(workshop.pool, workshop.crops, { seed, stage: 'safety' });
      const { engine, onProgress, signal, track } = workshop;
      const logits = await outputsOf(engine, graph, crops, sources, { stage: 'safety', onProgress, signal, track });
      for (const [at] of sources.entries())
        results[Math.floor(at / images.length)]!.push(largest(logits.data as Float32Array, at, classes.length));
    }
    return results;
  };

  const plainView = { operation: 'none', level: undefined, isRisky: false, policy: parsePolicy('evaluationcrop') };
  let pending = [...OPERATIONS.values()].filter(isProbed);
  let plain: number[] | undefined;
  const views: ViewSafety[] = [];
  for (const level of LEVELS) {
    const asked = pending.map((operation): View => {
      const at = operation.strength === undefined ? undefined : level;
      return {
        operation: operation.name,
        level: at,
        isRisky: operation.risk !== undefined,
        policy: singleView(operation, at),
      };
    });
    const predicted = await predict(plain === undefined ? [plainView, ...asked] : asked);
    plain ??= predicted.shift()!;
    const outcomes = asked.map(({ operation, level: at, isRisky }, i): ViewOutcome => ({
      operation,
      level: at,
      isRisky,
      predicted: predicted[i]!,
    }));
    const judged = judgeViews(classes, labels, plain, outcomes, wilsonInterval, limits);
    views.push(...judged);
    pending = pending.filter(({ strength }, i) => strength !== undefined && judged[i]!.verdict !== 'safe');
    if (pending.length === 0) break;
  }
  return {
    images: labels.length,
    accuracy: plain!.filter((value, i) => value === labels[i]).length / labels.length,
    views,
  };
}

/** What cuts an image down to its own size has nothing to cut from an evaluation crop. */
function isProbed({ group, strength }: Operation): boolean {
  return group !== 'crop' || strength !== undefined;
}

/** As many of each class as fit. */
function sampleOf(samples: readonly LabelledSample[], classes: number, count: number, seed: number): LabelledSample[] {
  const each = Math.max(1, Math.floor(count / classes));
  return Array.from({ length: classes }, (_, k) =>
    shuffled(
      samples.filter(({ label }) => label === k),
      randomStream(seed, 'safety', k),
    ).slice(0, each),
  ).flat();
}

function largest(logits: Float32Array, row: number, classes: number): number {
  let best = 0;
  for (let k = 1; k < classes; k++) if (logits[row * classes + k]! > logits[row * classes + best]!) best = k;
  return best;
}
