import { ONNX_DOMAIN, type Node } from '../graph.ts';
import { elementwiseKernels } from './elementwise.ts';
import type { Kernel } from './kernel.ts';
import { movementKernels } from './movement.ts';
import { positionKernels } from './positions.ts';
import { reductionKernels } from './reductions.ts';

/** The evaluation of an op on known inputs, or undefined where there is none: sizes and small tables, not networks. */
export function kernelOf(node: Pick<Node, 'domain' | 'opType'>): Kernel | undefined {
  return node.domain === ONNX_DOMAIN && Object.hasOwn(KERNELS, node.opType) ? KERNELS[node.opType] : undefined;
}

const KERNELS: Readonly<Record<string, Kernel>> = {
  ...elementwiseKernels,
  ...movementKernels,
  ...positionKernels,
  ...reductionKernels,
};
