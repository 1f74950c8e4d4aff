import type { InferRule } from '../infer.ts';
import { GRADIENT_DOMAIN, MICROSOFT_DOMAIN, NCHWC_DOMAIN, ONNX_DOMAIN } from '../graph.ts';
import { attentionRules, microsoftAttentionRules } from './attention.ts';
import { blockedRules } from './blocked.ts';
import { convolutionPoolingRules, microsoftConvolutionRules } from './convolution-pooling.ts';
import { elementwiseRules, microsoftElementwiseRules } from './elementwise.ts';
import { gradientRules } from './gradient.ts';
import { indexingRules } from './indexing.ts';
import { layoutRules } from './layout.ts';
import { engineNormalizationRules, microsoftNormalizationRules, normalizationRules } from './normalization.ts';
import { microsoftProductRules, productRules } from './products.ts';
import { microsoftQuantizationRules, quantizationRules } from './quantization.ts';
import { reductionRules } from './reductions.ts';
import { resamplingRules } from './resampling.ts';
import { sequenceRules } from './sequences.ts';
import { signalRules } from './signals.ts';
import { sourceRules } from './sources.ts';

/** The shape rule of an op, or undefined where there is none. */
export function inferRule(domain: string, opType: string): InferRule | undefined {
  return TABLES.get(domain)?.get(opType);
}

/**
 * A rule of ONNX's operators sees complete inputs only: where the type of an input that is there is
 * not known, nothing is known of the outputs.
 */
function whereTyped(rule: InferRule): InferRule {
  return (context) => {
    const open = context.node.inputs.some((name, i) => name !== '' && context.inputs[i] === undefined);
    return open ? context.node.outputs.map(() => undefined) : rule(context);
  };
}

function tableOf(...families: readonly Readonly<Record<string, InferRule>>[]): Map<string, InferRule> {
  const table = new Map<string, InferRule>();
  for (const family of families)
    for (const [opType, rule] of Object.entries(family)) table.set(opType, whereTyped(rule));
  return table;
}

const TABLES: ReadonlyMap<string, ReadonlyMap<string, InferRule>> = new Map([
  [
    ONNX_DOMAIN,
    tableOf(
      attentionRules,
      convolutionPoolingRules,
      elementwiseRules,
      engineNormalizationRules,
      indexingRules,
      layoutRules,
      normalizationRules,
      productRules,
      quantizationRules,
      reductionRules,
      resamplingRules,
      sequenceRules,
      signalRules,
      sourceRules,
    ),
  ],
  [
    MICROSOFT_DOMAIN,
    tableOf(
      microsoftAttentionRules,
      microsoftConvolutionRules,
      microsoftElementwiseRules,
      microsoftNormalizationRules,
      microsoftProductRules,
      microsoftQuantizationRules,
    ),
  ],
  [NCHWC_DOMAIN, tableOf(blockedRules)],
  [GRADIENT_DOMAIN, new Map(Object.entries(gradientRules))],
]);
