import { setImmediate } from 'node:timers/promises';
import { drawPolicy, parsePolicy } from '../augment/policy.ts';
import { OPERATIONS } from '../augment/operations.ts';
import { runSteps } from '../augment/run-steps.ts';
import { AbortedError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import { randomStream, shuffled } from '../core/random.ts';
import { mapConcurrent } from '../datasets/concurrent.ts';
import { decodeShrunk } from '../images/decode-shrunk.ts';
import { ImageError } from '../images/image-error.ts';
import type { Pixels } from '../images/pixels.ts';
import { CANDIDATES, type Candidate } from './candidates.ts';
import { compareWithWorld, type Comparison, type Uncovered } from './compare-with-world.ts';
import type { Estimate } from './finding.ts';
import { fitRange, halves, heldOutGain, untouched, type Halves } from './fit-range.ts';
import { MEASURED_SIDE, type MeasuredImage } from './measure-images.ts';
import { measurePixels } from './measure.ts';
import { PROPERTIES, type GroupMeasures, type PropertyGroup, type PropertyKey } from './properties.ts';
import { Response } from './response.ts';
import { quantile } from '../evaluate/bootstrap.ts';
import { ascending } from './statistics.ts';
import { marginsOf } from './subject.ts';

/** Images of the data that operations are tried on, and of the world that they are held against; half to fit, half to check. */
const MOST_TRIED = 96;
const MOST_OF_WORLD = 200;
const FEWEST_OF_WORLD = 16;
/** Shares of the distance to the world that an operation must take away on the images it was not fitted on. */
const LEAST_GAIN = 0.1;

/** Of the images that the policy changes: a model of the world's images alone would do worse on images like the data's. */
const SHARE = 0.5;

/** Colour and geometry show in small images; detail is judged near the size that networks see. */
const GROUPS = [
  { group: 'geometry', side: 64 },
  { group: 'colour', side: 64 },
  { group: 'detail', side: MEASURED_SIDE },
] as const;

type PixelGroup = Exclude<PropertyGroup, 'file'>;

/** An operation that makes the data more like the world. */
export interface ProposedOperation {
  readonly operation: string;
  /** As it stands in the policy. */
  readonly text: string;
  /** What fits the world best; the policy's range is this and what lies between it and the image as it is. */
  readonly fitted: { readonly low: number; readonly high: number; readonly probability: number };
  /** Properties that differed from the world when it was chosen. */
  readonly covers: readonly PropertyKey[];
  /** Share of the distance to the world that it takes away, on images it was not fitted on. */
  readonly gain: Estimate;
}

export interface Proposal {
  /** In the language of policies: all operations one after the other, for half of the images; empty where nothing is to be covered. */
  readonly policy: string;
  readonly operations: readonly ProposedOperation[];
  /** Of each property that differs and that operations change: the world's share not covered by the data, and by the data under the policy. */
  readonly coverage: readonly {
    readonly property: PropertyKey;
    readonly before: Uncovered;
    readonly after: Uncovered;
  }[];
}

export interface ProposeOptions {
  readonly seed: number;
  readonly maxPixels?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * A policy that brings the data near to the world, found by trying: operations run on images of the data at many values,
 * what comes out is measured, and the range whose mixture is nearest to the world's distributions (energy distance, summed
 * over the properties of a group) is taken where it brings half of the images, which it was not fitted on, nearer to
 * half of the world. One operation after the other, each on what the ones before it leave, until no property differs.
 */
export async function proposePolicy(
  data: readonly MeasuredImage[],
  world: readonly MeasuredImage[],
  comparisons: readonly Comparison[],
  options: ProposeOptions,
): Promise<Proposal> {
  const differing = new Set(comparisons.filter(({ differs }) => differs).map(({ property }) => property));
  const operations: ProposedOperation[] = [];
  const fitted: string[] = [];
  const coverage: Proposal['coverage'][number][] = [];
  if (world.length >= FEWEST_OF_WORLD)
    for (const { group, side } of GROUPS) {
      const keys = PROPERTIES.filter((property) => property.group === group && differing.has(property.key));
      if (keys.length === 0) continue;
      const stream = randomStream(options.seed, 'audit', 'tried images', group);
      const tried = await decoded(shuffled(data, stream).slice(0, MOST_TRIED), side, options);
      const others = await decoded(shuffled(world, stream).slice(0, MOST_OF_WORLD), side, options);
      const fit = new GroupFit(group, tried, others, fitted, fillOf(others, comparisons), options);
      for (let found = await fit.next(); found !== undefined; found = await fit.next()) operations.push(found);
      fitted.push(...fit.texts);
      const policy = operations.map(({ text }) => text);
      coverage.push(
        ...fit.coverage(
          keys.map(({ key }) => key),
          policy,
        ),
      );
    }
  if (world.length >= FEWEST_OF_WORLD) {
    const stream = randomStream(options.seed, 'audit', 'tried images', 'file');
    const [tried, others] = [shuffled(data, stream), shuffled(world, stream)];
    operations.push(
      ...fileOperations(tried.slice(0, MOST_OF_WORLD), others.slice(0, MOST_OF_WORLD), differing, options.seed),
    );
  }
  const chain = operations.map(({ text }) => text).join('|');
  const policy = chain === '' ? '' : parsePolicy(`oneof(${chain},p=${SHARE})`).text;
  return { policy, operations, coverage };
}

/** The search within one group of properties. */
class GroupFit {
  /** Of what was chosen, the ranges that fit best. */
  readonly texts: string[] = [];
  readonly #group: PixelGroup;
  readonly #images: readonly Pixels[];
  readonly #world: readonly GroupMeasures[];
  readonly #fill: string;
  readonly #options: ProposeOptions;
  #base: Pixels[];
  #tried = new Set<string>();

  /** @param before what was chosen in earlier groups */
  constructor(
    group: PixelGroup,
    images: readonly Pixels[],
    world: readonly Pixels[],
    before: readonly string[],
    fill: string,
    options: ProposeOptions,
  ) {
    this.#group = group;
    this.#images = images;
    this.#world = world.map((image) => measurePixels(image, group));
    this.#fill = fill;
    this.#options = options;
    this.#base = images.map((image, i) => augmented(image, before.join('|'), options.seed, 'before', i));
  }

  /** The operation that brings the images nearest to the world, if one does so clearly. */
  async next(): Promise<ProposedOperation | undefined> {
    const now = this.#base.map((image) => measurePixels(image, this.#group));
    const covers = compareWithWorld(now, this.#world, this.#options.seed)
      .filter(({ differs }) => differs)
      .map(({ property }) => property);
    const candidates = CANDIDATES.filter(
      ({ operation, group, covers: can }) =>
        group === this.#group &&
        OPERATIONS.has(operation) &&
        !this.#tried.has(operation) &&
        can.some((key) => covers.includes(key)),
    );
    const scales = scalesOf(this.#group, now, this.#world);
    const [images, world] = [halves(now.length), halves(this.#world.length)];
    const trials: { candidate: Candidate; response: Response; distance: number }[] = [];
    for (const candidate of candidates) {
      const response = new Response(await this.#responses(candidate, now), this.#world, scales);
      const { distance } = fitRange(candidate, response, images.fit, world.fit);
      // What does nothing now is not tried again on what others leave.
      if (distance > (1 - LEAST_GAIN / 2) * response.distance(untouched(candidate), images.fit, world.fit))
        this.#tried.add(candidate.operation);
      else trials.push({ candidate, response, distance });
    }
    // The nearest first; where it does not hold on the other half, the next.
    for (const { candidate, response } of trials.toSorted((a, b) => a.distance - b.distance)) {
      this.#tried.add(candidate.operation);
      const found = settled(candidate, response, images, world, covers, this.#fill, this.#options.seed);
      if (found === undefined) continue;
      const { low, high, probability } = found.fitted;
      const text = candidate.text(low, high, this.#fill, probability);
      this.#base = this.#base.map((image, i) => augmented(image, text, this.#options.seed, candidate.operation, i));
      this.texts.push(text);
      return found;
    }
    return undefined;
  }

  /** What the world's images lie outside of, before and after the whole policy. */
  coverage(keys: readonly PropertyKey[], policy: readonly string[]): Proposal['coverage'] {
    const measured = (images: readonly Pixels[]): GroupMeasures[] =>
      images.map((image) => measurePixels(image, this.#group));
    const { seed } = this.#options;
    const times = [0, 1, 2].flatMap((time) =>
      this.#images.map((image, i) => augmented(image, policy.join('|'), seed, `coverage ${time}`, i)),
    );
    const [before, after] = [measured(this.#images), measured(times)].map((own) =>
      compareWithWorld(own, this.#world, seed),
    );
    return keys.flatMap((property) => {
      const [one, other] = [before, after].map((list) => list!.find((entry) => entry.property === property));
      return one === undefined || other === undefined
        ? []
        : [{ property, before: one.uncovered, after: other.uncovered }];
    });
  }

  /** [values, images] */
  async #responses(candidate: Candidate, now: readonly GroupMeasures[]): Promise<(readonly GroupMeasures[])[]> {
    const { signal, onProgress, seed } = this.#options;
    const all: (readonly GroupMeasures[])[] = [];
    for (const [done, value] of candidate.values.entries()) {
      await setImmediate();
      if (signal?.aborted) throw new AbortedError('Stopped while fitting a policy.');
      const text = candidate.text(value, value, this.#fill);
      all.push(
        value === candidate.identity
          ? now
          : this.#base.map((image, i) => measurePixels(augmented(image, text, seed, 'trial', i), this.#group)),
      );
      const total = candidate.values.length;
      onProgress?.({ type: 'step', stage: `try ${candidate.operation}`, done: done + 1, total, unit: 'values' });
    }
    return all;
  }
}

/** The range of a candidate, if on images that it was not fitted on it brings the data clearly nearer to the world. */
function settled(
  candidate: Candidate,
  response: Response,
  images: Halves,
  world: Halves,
  covers: readonly PropertyKey[],
  fill: string,
  seed: number,
): ProposedOperation | undefined {
  const gain = heldOutGain(
    candidate,
    response,
    images,
    world,
    randomStream(seed, 'audit', candidate.operation, 'held out'),
  );
  if (gain.value < LEAST_GAIN || gain.interval[0] <= 0) return undefined;
  const { low, high, probability } = fitRange(candidate, response, images.all, world.all);
  const [from, to] =
    probability < 1 ? [low, high] : [Math.min(low, candidate.identity), Math.max(high, candidate.identity)];
  const { text } = parsePolicy(candidate.text(from, to, fill, probability));
  return { operation: candidate.operation, text, fitted: { low, high, probability }, covers, gain };
}

/**
 * Operations that make pixels as a file's size and compression make them. What they do to the property is known, so
 * nothing is run: fewer pixels count below what networks see, and of two qualities the lower one shows.
 */
function fileOperations(
  data: readonly MeasuredImage[],
  world: readonly MeasuredImage[],
  differing: ReadonlySet<PropertyKey>,
  seed: number,
): ProposedOperation[] {
  const seen = ({ measures: { side, jpegQuality } }: MeasuredImage): GroupMeasures => ({
    side: Math.min(side, Math.log2(MEASURED_SIDE)),
    jpegQuality,
  });
  const others = world.map(seen);
  return CANDIDATES.filter(
    ({ operation, group, covers }) =>
      group === 'file' && OPERATIONS.has(operation) && covers.some((key) => differing.has(key)),
  ).flatMap((candidate) => {
    const { values, covers } = candidate;
    const now = data.map(seen);
    const responses = values.map((value) =>
      now.map(({ side, jpegQuality }) => ({
        side: side! + Math.log2(candidate.operation === 'downscale' ? value : 1),
        jpegQuality: candidate.operation === 'jpeg' ? Math.min(jpegQuality!, value) : jpegQuality!,
      })),
    );
    const scales = new Map([...scalesOf('file', now, others)].filter(([key]) => covers.includes(key)));
    const response = new Response(responses, others, scales);
    return settled(candidate, response, halves(now.length), halves(others.length), covers, '', seed) ?? [];
  });
}

/**
 * The spread of each property over data and world together: a property that neither varies in does not count. Margins
 * count for a third: any movement makes them, so that alone they would have one movement stand in for another.
 */
function scalesOf(
  group: Candidate['group'],
  data: readonly GroupMeasures[],
  world: readonly GroupMeasures[],
): Map<PropertyKey, number> {
  const scales = new Map<PropertyKey, number>();
  for (const { key } of PROPERTIES.filter((property) => property.group === group)) {
    const values = ascending([...data, ...world].map((measures) => measures[key]!));
    const scale = values.length < 4 ? 0 : quantile(values, 0.95) - quantile(values, 0.05);
    if (scale > 0) scales.set(key, key === 'flatBorder' ? 3 * scale : scale);
  }
  return scales;
}

/** What stands where a moved image does not reach: the world's own margins where it has more of them than the data. */
function fillOf(world: readonly Pixels[], comparisons: readonly Comparison[]): string {
  const margins = comparisons.find(({ property }) => property === 'flatBorder');
  if (margins === undefined || !margins.differs || margins.delta <= 0) return 'reflect';
  const corners = world.flatMap((image) => marginsOf(image).corners);
  if (corners.length === 0) return 'reflect';
  const median = [0, 1, 2].map((c) => quantile(ascending(corners.map((corner) => corner[c]!)), 0.5));
  return `#${median.map((channel) => Math.round(channel).toString(16).padStart(2, '0')).join('')}`;
}

function augmented(image: Pixels, policy: string, seed: number, purpose: string, index: number): Pixels {
  if (policy === '') return image;
  const size = { width: image.width, height: image.height };
  const stream = randomStream(seed, 'audit', purpose, index);
  return runSteps(drawPolicy(parsePolicy(policy), { image: size, input: size, stream, label: undefined }), image);
}

async function decoded(images: readonly MeasuredImage[], side: number, options: ProposeOptions): Promise<Pixels[]> {
  const pixels = await mapConcurrent(
    images,
    6,
    ({ sample }) =>
      decodeShrunk(sample.file, side, {
        ...(options.maxPixels !== undefined && { maxPixels: options.maxPixels }),
      }).catch((error: unknown) => {
        if (!(error instanceof ImageError)) throw error;
        return undefined;
      }),
    options.signal,
  );
  return pixels.filter((image) => image !== undefined);
}
