// Embeddings of all images of a folder by one backbone, kept in a file: what is measured on many draws of labels then costs
// seconds a draw.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { openBackbone } from '../../dist/backbones/open.js';
import { CropCache } from '../../dist/batches/crop-cache.js';
import { EvaluationCrops } from '../../dist/batches/evaluation-crops.js';
import { ImagePool } from '../../dist/batches/image-pool.js';
import { readSafetensorsFile, writeSafetensorsFile } from '../../dist/core/safetensors.js';
import { tensor } from '../../dist/core/tensor.js';
import { readDataset } from '../../dist/datasets/read.js';
import { featuresOnPixels } from '../../dist/recipes/networks/network.js';
import { outputsOf } from '../../dist/recipes/results/outputs.js';

/**
 * @param engine a running `Engine`
 * @param folder where the file is kept
 * @returns classes, samples with their labels, embeddings [N, width] float32 and width
 */
export async function embeddingsOf(engine, data, backboneFile, folder) {
  const { classes, samples: all } = await readDataset(data);
  const samples = all.filter(({ label }) => label !== undefined);
  const file = join(folder, `${basename(data)}-${basename(backboneFile, '.onnx')}.safetensors`);
  await mkdir(folder, { recursive: true });
  if (!existsSync(file)) {
    const { model, embedding, preprocessing } = await openBackbone(backboneFile);
    const pool = await ImagePool.start(preprocessing);
    try {
      const crops = new EvaluationCrops(pool, new CropCache(preprocessing));
      const graph = featuresOnPixels(model.graph, embedding, preprocessing);
      const { data: values, shape } = await outputsOf(engine, graph, crops, samples, { stage: 'features' });
      await writeSafetensorsFile(file, [['embeddings', tensor('float32', shape, values)]]);
    } finally {
      await pool.dispose();
    }
  }
  const { tensors } = await readSafetensorsFile(file, { requireChecksum: true });
  const { data: embeddings, shape } = tensors.get('embeddings');
  if (shape[0] !== samples.length) throw new Error(`${file} is of other images: delete it.`);
  return { classes, samples, embeddings, width: shape[1] };
}

/** Rows of a matrix [N, width]. */
export function rowsOf(values, width, rows) {
  const result = new Float32Array(rows.length * width);
  for (const [at, row] of rows.entries()) result.set(values.subarray(row * width, (row + 1) * width), at * width);
  return result;
}
