import { setImmediate } from 'node:timers/promises';
import { AbortedError } from '../core/errors.ts';
import { describeViews, DESCRIPTOR_LENGTH, VIEW_SIDE, VIEWS, type View } from '../images/views.ts';
import { CODE_LENGTH, descriptorBasis, encode } from './descriptor-basis.ts';
import { nearCodes } from './near-codes.ts';

/** The image `copy` may show a window of the image `source`. */
export interface Proposal {
  readonly source: number;
  readonly copy: number;
  readonly view: View;
  readonly mirrored: boolean;
  readonly distance: number;
}

/** Descriptors of the nearest view and of its copy differ by less than this, nearly always. */
const RADIUS = 0.22;
/** Proposals kept for one image: the nearest. */
const MOST_PROPOSALS = 24;
/** The event loop gets its turn at least this often. */
const YIELD_MS = 40;

/**
 * Pairs of images of which one may be a copy of the other: whole or cropped by up to a tenth, mirrored or not.
 * @param thumbnails [n, VIEW_SIDE, VIEW_SIDE] grey
 * @param usable false for images without contrast: they look like any other of their kind
 */
export async function* proposeCopies(
  thumbnails: Uint8Array,
  usable: readonly boolean[],
  signal?: AbortSignal,
): AsyncGenerator<Proposal> {
  const size = VIEW_SIDE * VIEW_SIDE;
  const rows = usable.flatMap((use, index) => (use ? [index] : []));
  const thumbnail = (row: number): Uint8Array => thumbnails.subarray(rows[row]! * size, (rows[row]! + 1) * size);
  const descriptors = new Float32Array(rows.length * DESCRIPTOR_LENGTH);
  for (let row = 0; row < rows.length; row++) describeViews(thumbnail(row), 1, descriptors, row * DESCRIPTOR_LENGTH);
  const basis = descriptorBasis(descriptors);
  const codes = new Float32Array(rows.length * CODE_LENGTH);
  for (let row = 0; row < rows.length; row++)
    encode(basis, descriptors, row * DESCRIPTOR_LENGTH, codes, row * CODE_LENGTH);
  const index = nearCodes(codes);
  const ofViews = new Float32Array(VIEWS.length * DESCRIPTOR_LENGTH);
  const code = new Float32Array(CODE_LENGTH);
  let turn = performance.now();
  for (let source = 0; source < rows.length; source++) {
    // By copy, straight and mirrored apart: the nearest view.
    const best = new Map<number, Proposal>();
    let budget = index.budget;
    describeViews(thumbnail(source), VIEWS.length, ofViews);
    for (const [v, view] of VIEWS.entries()) {
      if (budget <= 0) break;
      encode(basis, ofViews, v * DESCRIPTOR_LENGTH, code, 0);
      for (const mirrored of [false, true]) {
        if (mirrored) for (let k = 0; k < CODE_LENGTH; k++) if (basis.odd[k]) code[k] = -code[k]!;
        budget -= index.query(code, 0, RADIUS, budget, (copy, distance) => {
          // Full frames are compared both ways with one result.
          if (copy === source || (v === 0 && copy < source)) return;
          const key = 2 * copy + Number(mirrored);
          const known = best.get(key);
          if (known === undefined || distance < known.distance)
            best.set(key, { source: rows[source]!, copy: rows[copy]!, view, mirrored, distance });
        });
      }
    }
    yield* [...best.values()].toSorted((a, b) => a.distance - b.distance).slice(0, MOST_PROPOSALS);
    if (performance.now() - turn > YIELD_MS) {
      await setImmediate();
      if (signal?.aborted) throw new AbortedError('Stopped while looking for copies of images.');
      turn = performance.now();
    }
  }
}
