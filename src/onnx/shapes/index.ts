import type { InferRule } from '../infer.ts';
import { GRADIENT_DOMAIN } from '../graph.ts';
import { gradientRules } from './gradient.ts';

/** The shape rule of an op, or undefined where there is none. */
export function inferRule(domain: string, opType: string): InferRule | undefined {
  return TABLES[domain]?.[opType];
}

const TABLES: Readonly<Record<string, Readonly<Record<string, InferRule>>>> = {
  [GRADIENT_DOMAIN]: gradientRules,
};
