import { InputError } from '../core/errors.ts';
import { prepareDataset, type PrepareOptions } from '../datasets/prepare.ts';
import { readImages } from '../datasets/read-images.ts';
import type { Sample } from '../datasets/dataset.ts';
import { compareWithWorld, worldFindings, type Comparison } from './compare-with-world.ts';
import { blankFindings, duplicateFindings, smallFindings } from './faulty-images.ts';
import { orderFindings } from './file-order.ts';
import { bySeverity, type Finding } from './finding.ts';
import { histogramsOf, type PropertyHistogram } from './histograms.ts';
import { measureImages } from './measure-images.ts';
import { narrownessFindings } from './narrowness.ts';
import { picturesOf } from './pictures.ts';
import { proposePolicy, type Proposal } from './propose-policy.ts';
import { readPredictions } from './read-predictions.ts';
import { findShortcuts, type Shortcuts } from './shortcuts.ts';
import { subgroupFindings } from './subgroups.ts';

/** Unlabelled images of the data's own from which they serve as the world. */
const FEWEST_OF_POOL = 20;

export interface AuditOptions extends PrepareOptions {
  /** A folder, of any layout, or a manifest: images as the model will meet them. Default: the data's unlabelled ones. */
  readonly world?: string;
  /** What `gleaner predict` wrote about the data's images, as JSON lines or CSV. */
  readonly predictions?: string;
  /** Default 0. */
  readonly seed?: number;
  /** Whether examples come along as small pictures; default no. */
  readonly pictures?: boolean;
}

/** How narrow a data set is, and what would cover the difference to the world. */
export interface Audit {
  readonly type: 'result';
  readonly root: string;
  readonly images: number;
  readonly classes: readonly string[];
  readonly world: { readonly source: string; readonly images: number } | undefined;
  /** The gravest first. */
  readonly findings: readonly Finding[];
  /** Every property, whether it differs or not; empty without a world. */
  readonly comparisons: readonly Comparison[];
  readonly histograms: readonly PropertyHistogram[];
  readonly shortcuts: Shortcuts | undefined;
  /** Undefined without a world. */
  readonly proposal: Proposal | undefined;
  readonly seconds: number;
  /** Of the examples, by id (`world/` before those of the world), as `data:` URIs; where they were asked for. */
  readonly pictures?: Readonly<Record<string, string>>;
}

/**
 * Measures the labelled training images of a data set, compares them with the world, and looks for what a model would
 * learn by mistake. Images of `val` and `test` are not looked at, but for copies.
 * @throws InputError as `readDataset`, and where the world or the predictions can't be read; AbortedError by `signal`
 * @example
 * const { findings, proposal } = await auditData('photos', { world: 'from-the-street' });
 */
export async function auditData(path: string, options: AuditOptions = {}): Promise<Audit> {
  const { seed = 0, signal, onProgress, maxPixels } = options;
  const started = performance.now();
  const shared = {
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
    ...(maxPixels !== undefined && { maxPixels }),
  };
  // First, so that a wrong path is told at once.
  const given =
    options.world === undefined
      ? undefined
      : await readImages(options.world, {
          ...shared,
          ...(options.followLinks !== undefined && { followLinks: options.followLinks }),
        });
  const { dataset, duplicates } = await prepareDataset(path, options);
  const { root, classes } = dataset;
  const samples = dataset.samples.filter(({ split }) => split === 'train');
  if (samples.length === 0) throw new InputError(`${path} has no labelled training image to audit.`);
  const pool = dataset.samples.filter(({ split }) => split === 'unlabeled');
  const others: readonly Sample[] = given ?? (pool.length >= FEWEST_OF_POOL ? pool : []);
  const predicted = options.predictions === undefined ? undefined : await readPredictions(options.predictions, samples);
  const data = await measureImages(samples, 'measure images', shared);
  const world = await measureImages(others, 'measure the world', shared);
  const seen = data.filter(({ isBlank }) => !isBlank);
  const comparisons =
    world.length === 0
      ? []
      : compareWithWorld(
          seen.map(({ measures }) => measures),
          world.map(({ measures }) => measures),
          seed,
        );
  const { shortcuts, findings } = findShortcuts(seen, classes, duplicates.groups, seed);
  const all = [
    ...worldFindings(comparisons, seen, world, classes, seed),
    ...(world.length === 0 ? narrownessFindings(seen, seed) : []),
    ...blankFindings(data, classes),
    ...smallFindings(data, classes),
    ...duplicateFindings(data, duplicates, dataset.conflicts, classes),
    ...orderFindings(data, classes, seed),
    ...findings,
    ...subgroupFindings(data, classes, world, predicted),
  ].toSorted(bySeverity);
  const proposal = world.length === 0 ? undefined : await proposePolicy(seen, world, comparisons, { seed, ...shared });
  return {
    type: 'result',
    root,
    images: data.length,
    classes,
    world:
      world.length === 0
        ? undefined
        : { source: options.world ?? 'the unlabelled images of the data', images: world.length },
    findings: all,
    comparisons,
    histograms: histogramsOf(seen, world),
    shortcuts,
    proposal,
    seconds: (performance.now() - started) / 1000,
    ...(options.pictures === true && { pictures: await picturesOf(all, samples, others) }),
  };
}
