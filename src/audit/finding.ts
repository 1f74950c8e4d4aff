import type { PropertyKey } from './properties.ts';

export type Severity = 'high' | 'medium' | 'low';

export type FindingKind =
  /** A property lies elsewhere, or reaches less far, than in the world. */
  | 'differs-from-world'
  /** Without a world: a property varies far less than in photos as people take them. */
  | 'narrow'
  | 'near-duplicates'
  | 'blank-images'
  | 'small-images'
  /** Images or classes follow the order of the files. */
  | 'ordered-files'
  | 'classes-by-file-properties'
  | 'classes-by-background'
  /** A rare kind of image within a class, or one on which predictions fail. */
  | 'weak-subgroup';

/** A number with its 95 % interval where it has one. */
export interface Estimate {
  readonly value: number;
  readonly interval?: readonly [low: number, high: number];
}

/** Something about a data set that a model would learn by mistake, or never see. */
export interface Finding {
  readonly kind: FindingKind;
  readonly severity: Severity;
  /** One sentence. */
  readonly what: string;
  /** One sentence: what to do about it. */
  readonly advice: string;
  readonly property?: PropertyKey;
  /** Numbers by name, each in its own unit; shares are 0..1. */
  readonly evidence: Readonly<Record<string, Estimate>>;
  /** Corrected for how many were made; absent where the finding is a count. */
  readonly p?: number;
  /** Names of classes that it is about; empty where it is about all. */
  readonly classes: readonly string[];
  /** Ids of images that show it, the clearest first. */
  readonly examples: readonly string[];
  /** The same among the world's images. */
  readonly worldExamples?: readonly string[];
}

const RANK: Readonly<Record<Severity, number>> = { high: 0, medium: 1, low: 2 };

export function bySeverity(a: Finding, b: Finding): number {
  return RANK[a.severity] - RANK[b.severity];
}
