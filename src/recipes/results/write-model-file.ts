import { writeFileAtomic } from '../../core/atomic-file.ts';
import type { ModelFile } from '../../export/deployable.ts';

/** Writes an ONNX file and, beside it, what describes it: `NAME.onnx` and `NAME.json`. */
export async function writeModelFile(file: string, { bytes, json }: Pick<ModelFile, 'bytes' | 'json'>): Promise<void> {
  await writeFileAtomic(file, bytes);
  await writeFileAtomic(file.replace(/(\.onnx)?$/, '.json'), json);
}
