import type { OnProgress } from '../core/progress.ts';
import { decodeImage, DEFAULT_MAX_PIXELS } from '../images/decode.ts';
import { hasImageExtension } from '../images/format.ts';
import { ImageError } from '../images/image-error.ts';
import { inspectImage, type InspectedImage } from '../images/inspect.ts';
import { mapConcurrent } from './concurrent.ts';
import { counted, shownList, type Quarantined, type Sample } from './dataset.ts';
import type { Candidate } from './read-folder.ts';

/** Enough to keep the disk busy; decoding has four threads by default. */
const READS_AT_A_TIME = 16;
const DECODES_AT_A_TIME = 4;
const PROGRESS_EVERY = 500;

export interface ReadSamplesOptions {
  /** Whether every candidate is meant as an image, whatever its name. Default false. */
  readonly allMeant?: boolean;
  readonly maxPixels?: number;
  /** `decode` reads every pixel, so that damage behind the header is found too. */
  readonly verify?: 'headers' | 'decode';
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

export interface ReadSamples {
  readonly samples: readonly Sample[];
  readonly quarantined: readonly Quarantined[];
  /** Files that neither are images nor are named like one. */
  readonly others: readonly string[];
  readonly warnings: readonly string[];
}

/** Looks into every candidate: what is an image becomes a sample, what only claims to be one is quarantined. */
export async function readSamples(
  candidates: readonly Candidate[],
  classes: readonly string[],
  options: ReadSamplesOptions = {},
): Promise<ReadSamples> {
  const labels = new Map(classes.map((name, index) => [name, index]));
  const maxPixels = options.maxPixels ?? DEFAULT_MAX_PIXELS;
  const decode = options.verify === 'decode';
  const quarantined: Quarantined[] = [];
  const others: string[] = [];
  const warned = new Map<string, string[]>();
  let done = 0;
  const read = await mapConcurrent(
    candidates,
    decode ? DECODES_AT_A_TIME : READS_AT_A_TIME,
    async (candidate): Promise<Sample | undefined> => {
      try {
        const image = await inspectImage(candidate.file, maxPixels);
        if (decode) await decodeImage(candidate.file, { maxPixels });
        for (const warning of image.warnings) {
          const files = warned.get(warning);
          if (files === undefined) warned.set(warning, [candidate.id]);
          else files.push(candidate.id);
        }
        return sampleOf(candidate, image, labels);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        const meant =
          options.allMeant === true ||
          hasImageExtension(candidate.id) ||
          !['not-an-image', 'unsupported', 'empty'].includes(error.reason);
        if (meant) quarantined.push({ file: candidate.id, reason: error.message });
        else others.push(candidate.id);
        return undefined;
      } finally {
        done++;
        if (done % PROGRESS_EVERY === 0 || done === candidates.length)
          options.onProgress?.({ type: 'step', stage: 'read images', done, total: candidates.length, unit: 'images' });
      }
    },
    options.signal,
  );
  return {
    samples: read.filter((sample) => sample !== undefined),
    quarantined,
    others,
    warnings: [...warned]
      .map(([warning, files]) => `${counted(files.length, 'file')}: ${warning} (${shownList(files.toSorted())})`)
      .toSorted(),
  };
}

function sampleOf(candidate: Candidate, image: InspectedImage, labels: ReadonlyMap<string, number>): Sample {
  const { id, file, split, className, group, chances } = candidate;
  const { width, height, bytes, contentKey } = image;
  const label = className === undefined ? undefined : labels.get(className);
  return {
    id,
    file,
    split,
    width,
    height,
    bytes,
    contentKey,
    ...(label !== undefined && { label }),
    ...(chances !== undefined && { chances }),
    ...(group !== undefined && { group }),
  };
}
