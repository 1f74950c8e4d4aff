import type { Split } from '../dataset.ts';

/** An image as it is exported. */
export interface LabelledImage {
  /** As written into the file: relative, `/` between parts. */
  readonly path: string;
  /** Absolute path of the file that is read. */
  readonly file: string;
  readonly split: Split;
  readonly label?: string;
  readonly group?: string;
  /** In pixels as stored. */
  readonly width: number;
  readonly height: number;
  /** What a machine says: by names of columns, of which `label` and `probability` are always there. */
  readonly machine?: MachineEvidence;
}

export type MachineEvidence = Readonly<Record<string, string | number>>;

/** What is written besides the images. */
export interface ExportedData {
  readonly images: readonly LabelledImage[];
  /** Labels of people and of machines name no others. */
  readonly classes: readonly string[];
  /** Columns of `machine`, in their order; none where no image has any. */
  readonly evidence: readonly string[];
  /** Whether any image is of a group. */
  readonly hasGroups: boolean;
}

/** Fields that every format has, as far as they are known. */
export function fieldsOf({ split, group }: LabelledImage): Readonly<Record<string, string>> {
  return { split, ...(group !== undefined && { group }) };
}
