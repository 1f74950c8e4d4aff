import { checkPolicyClasses, checkPolicySize } from '../../augment/check-policy.ts';
import { mixBatch } from '../../augment/mixing/mix-batch.ts';
import { OPERATIONS } from '../../augment/operations.ts';
import { stepsAtLevel } from '../../augment/policies/magnitude.ts';
import { drawPolicy, mixerOf, mixes, parsePolicy, withText, type Policy } from '../../augment/policy.ts';
import { runSteps } from '../../augment/run-steps.ts';
import { singleView } from '../../augment/single-view.ts';
import { randomStream, type RandomStream } from '../../core/random.ts';
import { InputError } from '../../core/errors.ts';
import type { Sheet, SheetRow } from '../../images/contact-sheet.ts';
import type { Pixels } from '../../images/pixels.ts';
import { photosOf, type PreviewPhoto } from './preview-photos.ts';

export interface PreviewOptions {
  /** A policy; without one, every operation at rising strength. */
  readonly policy?: string;
  /** Shows what each step of the policy does, one after the other. */
  readonly steps?: boolean;
  /** Names of operations to show, where there is no policy; default all. */
  readonly operations?: readonly string[];
  /** Photos, a row each; default 6 (2 without a policy). */
  readonly photos?: number;
  /** Drawings of the policy a photo; default 6. */
  readonly draws?: number;
  /** Side of the network's input in pixels; default 224. */
  readonly size?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** Of an operation's strength. */
const LEVELS = [0, 0.25, 0.5, 0.75, 1];

/**
 * Shows on photos of a data set what a policy, or every operation, does to them. The same seed gives the same pictures.
 * @param data folder or manifest
 * @throws InputError for bad data, or a policy that can't be read or leaves mixed images of several sizes
 */
export async function previewAugmentation(data: string, options: PreviewOptions = {}): Promise<Sheet> {
  const { seed = 0, size = 224, draws = 6 } = options;
  const policy = options.policy === undefined ? undefined : parsePolicy(options.policy);
  if (policy === undefined && options.steps) throw new InputError('Steps are shown of a policy: give one.');
  if (policy !== undefined && options.operations !== undefined)
    throw new InputError('Give a policy or operations, not both.');
  const { photos, classes } = await photosOf(data, {
    count: options.photos ?? (policy === undefined ? 2 : 6),
    seed,
    size,
    ...(options.signal && { signal: options.signal }),
  });
  if (policy !== undefined) checkPolicyClasses(policy, classes);
  if (policy === undefined) return operationSheet(photos, options.operations ?? [...OPERATIONS.keys()], size, seed);
  const title = `${options.steps ? 'Steps of' : 'Drawings of'} ${policy.text}`;
  if (options.steps) return { title, rows: photos.map((photo) => stepRow(photo, policy, size, seed)) };
  const input = { width: size, height: size };
  if (mixes(policy)) checkPolicySize(policy, input);
  const drawn = photos.map((photo) =>
    Array.from({ length: draws }, (_, draw) => ({
      pixels: varied(start(photo, policy), policy, photo, size, randomStream(seed, 'preview', photo.id, draw)),
      caption: `drawing ${draw + 1}`,
    })),
  );
  if (mixes(policy)) for (let draw = 0; draw < draws; draw++) mixColumn(photos, drawn, policy, draw, seed);
  return {
    title,
    rows: photos.map((photo, i) => ({
      title: titleOf(photo),
      cells: [{ pixels: photo.centred, caption: 'as it is' }, ...drawn[i]!],
    })),
  };
}

/** The photos of one drawing are a batch, and are mixed with each other. */
function mixColumn(
  photos: readonly PreviewPhoto[],
  drawn: { pixels: Pixels; caption: string }[][],
  policy: Policy,
  draw: number,
  seed: number,
): void {
  const mixer = mixerOf(policy)!;
  const size = drawn[0]![draw]!.pixels;
  const bytes = size.width * size.height * 3;
  const all = new Uint8Array(photos.length * bytes);
  for (const [i, row] of drawn.entries()) all.set(row[draw]!.pixels.data, i * bytes);
  const mixed = mixBatch(
    all,
    size,
    mixer,
    { epoch: 1, epochs: Number.MAX_SAFE_INTEGER },
    randomStream(seed, 'preview', draw, 'mix'),
  );
  for (const [i, { sources, shares, by }] of mixed.entries()) {
    const labels = new Map<string, number>();
    for (const [s, source] of sources.entries()) {
      const name = photos[source]!.label ?? photos[source]!.id;
      labels.set(name, (labels.get(name) ?? 0) + shares[s]!);
    }
    const words = [...labels].map(([name, share]) => `${(share * 100).toFixed(0)} % ${name}`).join(', ');
    const pixels = { ...size, data: all.slice(i * bytes, (i + 1) * bytes) };
    drawn[i]![draw] = { pixels, caption: by === undefined ? words : `${by}: ${words}` };
  }
}

function stepRow(photo: PreviewPhoto, policy: Policy, size: number, seed: number): SheetRow {
  const cells = [{ pixels: photo.centred, caption: 'as it is' }];
  for (let count = 1; count <= policy.image.length; count++) {
    const items = policy.image.slice(0, count);
    // The same stream draws the same numbers for what stands before.
    const stream = randomStream(seed, 'preview', photo.id, 0);
    const pixels = varied(start(photo, policy), { ...policy, image: items }, photo, size, stream);
    cells.push({ pixels, caption: withText([items.at(-1)!]).text });
  }
  return { title: titleOf(photo), cells };
}

function operationSheet(photos: readonly PreviewPhoto[], names: readonly string[], size: number, seed: number): Sheet {
  const input = { width: size, height: size };
  const rows = names.flatMap((name) => {
    const operation = OPERATIONS.get(name);
    if (operation === undefined) throw new InputError(`There is no operation "${name}".`);
    return photos.map((photo): SheetRow => {
      const image = photo.centred;
      const title = `${name}: ${operation.about} (${photo.id})`;
      const stream = (): RandomStream => randomStream(seed, 'preview', name, photo.id);
      if (operation.strength === undefined) {
        const pixels = runSteps(
          drawPolicy(singleView(operation, undefined), { image, input, stream: stream(), label: photo.label }),
          image,
        );
        return {
          title,
          cells: [
            { pixels: image, caption: 'as it is' },
            { pixels, caption: name },
          ],
        };
      }
      const signs = operation.strength.signed ? ([-1, 1] as const) : ([1] as const);
      const levels = signs.flatMap((sign) =>
        (sign < 0 ? LEVELS.slice(1).toReversed() : LEVELS).map((level) => ({ sign, level })),
      );
      const cells = levels.map(({ sign, level }) => ({
        pixels: runSteps(stepsAtLevel(operation, level, sign, { image, input, stream: stream() }), image),
        caption: level === 0 ? 'as it is' : `magnitude ${sign < 0 ? '-' : ''}${level * 30}`,
      }));
      return { title, cells };
    });
  });
  return { title: 'Operations at rising strength', rows };
}

/** What a policy starts from: the image, or its middle where the policy asks for evaluation's crop or does not crop by itself. */
function start({ pixels, centred }: PreviewPhoto, policy: Policy): Pixels {
  const cropsItself = policy.image.some(({ name }) => OPERATIONS.get(name)?.group === 'crop');
  return cropsItself ? pixels : centred;
}

function varied(image: Pixels, policy: Policy, { label }: PreviewPhoto, size: number, stream: RandomStream): Pixels {
  return runSteps(drawPolicy(policy, { image, input: { width: size, height: size }, stream, label }), image);
}

function titleOf({ id, label }: PreviewPhoto): string {
  return label === undefined ? id : `${label}: ${id}`;
}
