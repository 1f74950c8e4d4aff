import { basename } from 'node:path';
import { InputError } from '../../core/errors.ts';
import type { VariantMeasurement } from '../../export/measure.ts';
import { exportVariants } from '../results/export-variants.ts';
import type { OpenedNetwork } from '../networks/opened-network.ts';
import type { Candidate, PlanSite } from './plan-site.ts';
import type { ResolvedPlanOptions } from './plan-options.ts';
import { workshopFor } from '../workshop/workshop-for.ts';

/** What of a network is as small and fast as it was asked for. */
export interface ChosenSize {
  readonly form: 'float32' | 'int8';
  /** Another network, which the best one is distilled to; absent where its own size will do. */
  readonly student?: string;
  /** In words, with figures. */
  readonly why: string;
}

/** Images that a form is measured with; its size and speed depend on none of them. */
const MEASURED_WITH = 16;

/**
 * How the wanted size and latency are met: by the best network itself, by its int8 form, or by the largest other at hand that
 * meets them, in float32 or int8, to which it is then distilled. Both are measured here, on the untrained networks.
 * @throws InputError where nothing at hand meets them
 */
export async function chooseSize(
  site: PlanSite,
  best: OpenedNetwork,
  others: readonly Candidate[],
): Promise<ChosenSize> {
  const { options } = site;
  const wanted = [
    ...(options.maxBytes === undefined ? [] : [size(options.maxBytes)]),
    ...(options.maxMilliseconds === undefined ? [] : [`${options.maxMilliseconds} ms an image`]),
  ].join(' and ');
  const own = await formsOf(site, best);
  const fitting = own.find((form) => fits(form, options));
  if (fitting !== undefined)
    return {
      form: fitting.variant as ChosenSize['form'],
      why: `${best.source.name} meets ${wanted}: ${inWords(fitting)}.`,
    };
  const found: { candidate: Candidate; form: VariantMeasurement; bytes: number }[] = [];
  let smallest = own.at(-1)!;
  for (const candidate of others) {
    const forms = await formsOf(site, candidate.opened);
    const form = forms.find((one) => fits(one, options));
    if (form !== undefined) found.push({ candidate, form, bytes: forms[0]!.bytes });
    if (forms.at(-1)!.bytes < smallest.bytes) smallest = forms.at(-1)!;
  }
  const [student] = found.toSorted((a, b) => b.bytes - a.bytes);
  if (student === undefined)
    throw new InputError(
      `No network at hand meets ${wanted}; the nearest is ${inWords(smallest)}. Give a smaller one as a further --backbone, or allow more.`,
    );
  return {
    form: student.form.variant as ChosenSize['form'],
    student: student.candidate.spec,
    why: `${best.source.name} is ${inWords(own[0]!)}, too large or slow for ${wanted}, and so is ${inWords(own[1]!)}: the model is ${basename(student.candidate.spec)}, ${inWords(student.form)}.`,
  };
}

/** float32 and int8. */
async function formsOf(
  { workshop, options, data }: PlanSite,
  opened: OpenedNetwork,
): Promise<readonly VariantMeasurement[]> {
  const { graph, logits, preprocessing } = opened.untrained();
  return workshopFor(workshop, preprocessing, options.train.maxPixels * 1e6, async ({ engine, crops, signal }) => {
    const images = data.train.slice(0, MEASURED_WITH);
    const parts = { graph, logits, preprocessing, classes: data.classes };
    const request = { engine, crops, parts, calibrateOn: images, measureOn: images, seed: options.train.seed, signal };
    return (await exportVariants(request, ['int8'])).measured;
  });
}

function fits(
  { bytes, millisecondsPerImage }: VariantMeasurement,
  { maxBytes, maxMilliseconds }: ResolvedPlanOptions,
): boolean {
  return bytes <= (maxBytes ?? Infinity) && millisecondsPerImage <= (maxMilliseconds ?? Infinity);
}

function inWords({ variant, bytes, millisecondsPerImage }: VariantMeasurement): string {
  return `${variant} of ${size(bytes)} at ${millisecondsPerImage.toFixed(1)} ms`;
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
