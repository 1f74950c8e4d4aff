import type { Sample } from '../../datasets/dataset.ts';

export interface Images {
  readonly train: readonly Pick<Sample, 'width' | 'height'>[];
  readonly unlabeled?: readonly Pick<Sample, 'width' | 'height'>[];
}

/** A network that suits the size of the images, where none is named. */
export function defaultModel(data: Images): string {
  const side = medianSide(data);
  if (side <= 30) return 'digits';
  return isSmall(data) ? 'cifar_resnet20' : 'mobilenetv2_050';
}

/** Side of its input, in pixels. */
export function defaultSide(data: Images): number {
  const side = medianSide(data);
  if (side <= 30) return 28;
  return isSmall(data) ? 32 : 128;
}

/** Whether images are of the size of drawings and icons, not of photos. */
export function isSmall(data: Images): boolean {
  return medianSide(data) <= 48;
}

/** Median of the shorter sides of the training images, in pixels. */
function medianSide({ train, unlabeled = [] }: Images): number {
  const sides = [...train, ...unlabeled].map(({ width, height }) => Math.min(width, height)).toSorted((a, b) => a - b);
  return sides[Math.floor(sides.length / 2)]!;
}
