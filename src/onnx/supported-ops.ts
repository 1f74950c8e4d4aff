import { ModelError, suggestion } from '../core/errors.ts';
import { describeNode, INTERNAL_OPSET, MICROSOFT_DOMAIN, NCHWC_DOMAIN, ONNX_DOMAIN } from './graph.ts';
import { MICROSOFT_OPS, OP_VERSIONS, REMOVED_OPS } from './proto/op-versions.ts';
import type { RawNode } from './raw-graph.ts';

/** The oldest opset that is lifted. */
export const OLDEST_OPSET = 11;

/** In ONNX's domain, but ONNX Runtime's: written there by its optimizer. */
const ENGINE_OPS = new Set(['SimplifiedLayerNormalization']);

/** @throws ModelError unless the opset is one that Gleaner lifts. */
export function requireSupportedOpset(opset: number): void {
  if (opset > INTERNAL_OPSET)
    throw new ModelError(
      `The model is written for opset ${opset}; opsets ${OLDEST_OPSET} to ${INTERNAL_OPSET} are supported. Export it again with opset_version=${INTERNAL_OPSET} or lower.`,
    );
  if (opset < OLDEST_OPSET)
    throw new ModelError(
      `The model is written for opset ${opset}; opsets ${OLDEST_OPSET} to ${INTERNAL_OPSET} are supported. Export it again, or convert it with onnx.version_converter.`,
    );
}

/** @throws ModelError where the node's operator does not exist in the node's opset, or is foreign. */
export function requireSupportedOp(node: RawNode): void {
  const label = describeNode(node);
  if (node.domain === MICROSOFT_DOMAIN) {
    if (MICROSOFT_OPS.has(node.opType)) return;
    throw new ModelError(`${label}: ONNX Runtime has no such operator${suggestion(node.opType, MICROSOFT_OPS)}.`);
  }
  if (node.domain === NCHWC_DOMAIN)
    throw new ModelError(
      `${label}: the model was optimized by ONNX Runtime for one machine. Use the model it was made from, or save it at the optimization level "extended".`,
    );
  if (node.domain !== ONNX_DOMAIN)
    throw new ModelError(
      `${label}: operators of the domain "${node.domain}" are not supported, only ONNX's own and com.microsoft. Export the model without custom operators, or with them as local functions.`,
    );
  if (ENGINE_OPS.has(node.opType)) return;
  const since = OP_VERSIONS[node.opType]?.[0]?.[0];
  if (since !== undefined && since <= node.opset) return;
  if (since !== undefined)
    throw new ModelError(`${label}: the operator exists since opset ${since}, the model declares opset ${node.opset}.`);
  if (REMOVED_OPS.includes(node.opType))
    throw new ModelError(
      `${label}: the operator was removed before opset ${OLDEST_OPSET}. Convert the model with onnx.version_converter.`,
    );
  throw new ModelError(`${label}: ONNX has no such operator${suggestion(node.opType, Object.keys(OP_VERSIONS))}.`);
}
