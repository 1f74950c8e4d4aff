import type { Kernels } from '../../images/kernels.ts';
import type { Pixels } from '../../images/pixels.ts';
import { beta, dirichlet } from '../distributions.ts';
import type { DrawSite, ImageElement } from '../element.ts';
import type { Fill } from '../../images/sample.ts';
import { commonParameters } from './common-parameters.ts';
import { runInBuffers } from '../run-steps.ts';
import type { Step } from '../step.ts';
import { stepsAtDrawnSign, strongOperation } from './magnitude.ts';
import { RANDAUGMENT_OPERATIONS } from './rand-augment.ts';

/**
 * AugMix (Hendrycks et al. 2020, arXiv:1912.02781): several short chains of operations, mixed with each other by a
 * Dirichlet's weights and with the image itself by a Beta's. Its consistency loss is the training option `consistency`.
 *
 * Magnitudes as in the authors' code, even between 0.1 and the severity, of 10. Posterize starts from 8 bits, where theirs
 * starts from 4 and can leave a blank image.
 */
export const augMix: ImageElement = {
  level: 'image',
  name: 'augmix',
  about: 'Several short chains of operations, mixed with the image',
  parameters: {
    severity: { kind: 'number', about: 'largest magnitude, 1 to 10', min: 1, max: 10, default: 3 },
    width: { kind: 'number', about: 'chains', min: 1, max: 10, integer: true, default: 3 },
    depth: { kind: 'number', about: 'operations a chain; 0 draws 1 to 3', min: 0, max: 10, integer: true, default: 0 },
    alpha: { kind: 'number', about: 'of Dirichlet and Beta', min: 1e-3, max: 100, default: 1 },
    ...commonParameters,
  },
  sequences: 'none',
  texts: false,
  draw({ arguments: given }, { view, ...shared }) {
    if (view === 'clean') return [];
    const site: DrawSite = view === undefined ? shared : { ...shared, stream: view };
    const { stream } = site;
    if (stream.uniform() >= (given['p'] as number)) return [];
    const [severity, width, depth, alpha] = ['severity', 'width', 'depth', 'alpha'].map(
      (name) => given[name] as number,
    ) as [number, number, number, number];
    const share = beta(alpha, alpha, stream);
    const weights = dirichlet(alpha, width, stream);
    const chains = weights.map((weight) => {
      const steps: Step[] = [];
      for (let left = depth === 0 ? 1 + stream.integer(3) : depth; left > 0; left--) {
        const name = OPERATIONS_OF_AUGMIX[stream.integer(OPERATIONS_OF_AUGMIX.length)]!;
        const level = ((0.1 + (severity - 0.1) * stream.uniform()) / 10) * (STRONGEST[name] ?? 1);
        steps.push(...stepsAtDrawnSign(strongOperation(name), level, site, given['fill'] as Fill));
      }
      return { weight: weight * share, steps };
    });
    return [{ kind: 'kernel', run: (image, kernels) => mixChains(image, 1 - share, chains, kernels) }];
  },
};

const OPERATIONS_OF_AUGMIX = RANDAUGMENT_OPERATIONS.filter((name) => name !== 'identity');

/** In levels: translations by a third of the side instead of 150 of 331; posterize down to 1 bit. */
const STRONGEST: Readonly<Record<string, number>> = {
  translatex: 331 / 450,
  translatey: 331 / 450,
  posterize: 1.75,
};

function mixChains(
  image: Pixels,
  own: number,
  chains: readonly { readonly weight: number; readonly steps: readonly Step[] }[],
  kernels: Kernels,
): Pixels {
  const parts: Pixels[] = [];
  const keep = (part: Pixels): void => {
    const { width, height } = part;
    const taken = kernels.take(part, { left: 0, top: 0, width, height });
    kernels.hold(taken);
    parts.push(taken);
  };
  try {
    keep(image);
    for (const { steps } of chains) keep(runInBuffers(steps, image, kernels));
    const result = kernels.buffer(image);
    kernels.blend(parts, [own, ...chains.map(({ weight }) => weight)], result);
    return result;
  } finally {
    for (const part of parts) kernels.release(part);
  }
}
