/**
 * The policies of AutoAugment (Cubuk et al. 2019, arXiv:1805.09501, tables 7 to 9): 25 pairs of operation, probability and
 * magnitude, 0 to 9; operations without a magnitude have undefined.
 */
export type SubPolicy = readonly (readonly [name: string, probability: number, magnitude?: number])[];

export const AUTOAUGMENT_POLICIES: Readonly<Record<'cifar10' | 'imagenet' | 'svhn', readonly SubPolicy[]>> = {
  cifar10: [
    [
      ['invert', 0.1],
      ['contrast', 0.2, 6],
    ],
    [
      ['rotate', 0.7, 2],
      ['translatex', 0.3, 9],
    ],
    [
      ['sharpness', 0.8, 1],
      ['sharpness', 0.9, 3],
    ],
    [
      ['sheary', 0.5, 8],
      ['translatey', 0.7, 9],
    ],
    [
      ['autocontrast', 0.5],
      ['equalize', 0.9],
    ],
    [
      ['sheary', 0.2, 7],
      ['posterize', 0.3, 7],
    ],
    [
      ['saturation', 0.4, 3],
      ['brightness', 0.6, 7],
    ],
    [
      ['sharpness', 0.3, 9],
      ['brightness', 0.7, 9],
    ],
    [
      ['equalize', 0.6],
      ['equalize', 0.5],
    ],
    [
      ['contrast', 0.6, 7],
      ['sharpness', 0.6, 5],
    ],
    [
      ['saturation', 0.7, 7],
      ['translatex', 0.5, 8],
    ],
    [
      ['equalize', 0.3],
      ['autocontrast', 0.4],
    ],
    [
      ['translatey', 0.4, 3],
      ['sharpness', 0.2, 6],
    ],
    [
      ['brightness', 0.9, 6],
      ['saturation', 0.2, 8],
    ],
    [
      ['solarize', 0.5, 2],
      ['invert', 0],
    ],
    [
      ['equalize', 0.2],
      ['autocontrast', 0.6],
    ],
    [
      ['equalize', 0.2],
      ['equalize', 0.6],
    ],
    [
      ['saturation', 0.9, 9],
      ['equalize', 0.6],
    ],
    [
      ['autocontrast', 0.8],
      ['solarize', 0.2, 8],
    ],
    [
      ['brightness', 0.1, 3],
      ['saturation', 0.7, 0],
    ],
    [
      ['solarize', 0.4, 5],
      ['autocontrast', 0.9],
    ],
    [
      ['translatey', 0.9, 9],
      ['translatey', 0.7, 9],
    ],
    [
      ['autocontrast', 0.9],
      ['solarize', 0.8, 3],
    ],
    [
      ['equalize', 0.8],
      ['invert', 0.1],
    ],
    [
      ['translatey', 0.7, 9],
      ['autocontrast', 0.9],
    ],
  ],
  imagenet: [
    [
      ['posterize', 0.4, 8],
      ['rotate', 0.6, 9],
    ],
    [
      ['solarize', 0.6, 5],
      ['autocontrast', 0.6],
    ],
    [
      ['equalize', 0.8],
      ['equalize', 0.6],
    ],
    [
      ['posterize', 0.6, 7],
      ['posterize', 0.6, 6],
    ],
    [
      ['equalize', 0.4],
      ['solarize', 0.2, 4],
    ],
    [
      ['equalize', 0.4],
      ['rotate', 0.8, 8],
    ],
    [
      ['solarize', 0.6, 3],
      ['equalize', 0.6],
    ],
    [
      ['posterize', 0.8, 5],
      ['equalize', 1],
    ],
    [
      ['rotate', 0.2, 3],
      ['solarize', 0.6, 8],
    ],
    [
      ['equalize', 0.6],
      ['posterize', 0.4, 6],
    ],
    [
      ['rotate', 0.8, 8],
      ['saturation', 0.4, 0],
    ],
    [
      ['rotate', 0.4, 9],
      ['equalize', 0.6],
    ],
    [
      ['equalize', 0],
      ['equalize', 0.8],
    ],
    [
      ['invert', 0.6],
      ['equalize', 1],
    ],
    [
      ['saturation', 0.6, 4],
      ['contrast', 1, 8],
    ],
    [
      ['rotate', 0.8, 8],
      ['saturation', 1, 2],
    ],
    [
      ['saturation', 0.8, 8],
      ['solarize', 0.8, 7],
    ],
    [
      ['sharpness', 0.4, 7],
      ['invert', 0.6],
    ],
    [
      ['shearx', 0.6, 5],
      ['equalize', 1],
    ],
    [
      ['saturation', 0.4, 0],
      ['equalize', 0.6],
    ],
    [
      ['equalize', 0.4],
      ['solarize', 0.2, 4],
    ],
    [
      ['solarize', 0.6, 5],
      ['autocontrast', 0.6],
    ],
    [
      ['invert', 0.6],
      ['equalize', 1],
    ],
    [
      ['saturation', 0.6, 4],
      ['contrast', 1, 8],
    ],
    [
      ['equalize', 0.8],
      ['equalize', 0.6],
    ],
  ],
  svhn: [
    [
      ['shearx', 0.9, 4],
      ['invert', 0.2],
    ],
    [
      ['sheary', 0.9, 8],
      ['invert', 0.7],
    ],
    [
      ['equalize', 0.6],
      ['solarize', 0.6, 6],
    ],
    [
      ['invert', 0.9],
      ['equalize', 0.6],
    ],
    [
      ['equalize', 0.6],
      ['rotate', 0.9, 3],
    ],
    [
      ['shearx', 0.9, 4],
      ['autocontrast', 0.8],
    ],
    [
      ['sheary', 0.9, 8],
      ['invert', 0.4],
    ],
    [
      ['sheary', 0.9, 5],
      ['solarize', 0.2, 6],
    ],
    [
      ['invert', 0.9],
      ['autocontrast', 0.8],
    ],
    [
      ['equalize', 0.6],
      ['rotate', 0.9, 3],
    ],
    [
      ['shearx', 0.9, 4],
      ['solarize', 0.3, 3],
    ],
    [
      ['sheary', 0.8, 8],
      ['invert', 0.7],
    ],
    [
      ['equalize', 0.9],
      ['translatey', 0.6, 6],
    ],
    [
      ['invert', 0.9],
      ['equalize', 0.6],
    ],
    [
      ['contrast', 0.3, 3],
      ['rotate', 0.8, 4],
    ],
    [
      ['invert', 0.8],
      ['translatey', 0, 2],
    ],
    [
      ['sheary', 0.7, 6],
      ['solarize', 0.4, 8],
    ],
    [
      ['invert', 0.6],
      ['rotate', 0.8, 4],
    ],
    [
      ['sheary', 0.3, 7],
      ['translatex', 0.9, 3],
    ],
    [
      ['shearx', 0.1, 6],
      ['invert', 0.6],
    ],
    [
      ['solarize', 0.7, 2],
      ['translatey', 0.6, 7],
    ],
    [
      ['sheary', 0.8, 4],
      ['invert', 0.8],
    ],
    [
      ['shearx', 0.7, 9],
      ['translatey', 0.8, 3],
    ],
    [
      ['sheary', 0.8, 5],
      ['autocontrast', 0.7],
    ],
    [
      ['shearx', 0.7, 2],
      ['invert', 0.1],
    ],
  ],
};
