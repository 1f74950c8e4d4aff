import { CropCache } from '../../batches/crop-cache.ts';
import { EvaluationCrops } from '../../batches/evaluation-crops.ts';
import { ImagePool } from '../../batches/image-pool.ts';
import type { Preprocessing } from '../../models/preprocessing.ts';
import type { Workshop } from './workshop.ts';

/** Works in the same workshop on images as another network takes them. */
export async function workshopFor<T>(
  workshop: Workshop,
  preprocessing: Preprocessing,
  maxPixels: number,
  use: (workshop: Workshop) => Promise<T>,
): Promise<T> {
  if (JSON.stringify(preprocessing) === JSON.stringify(workshop.pool.preprocessing)) return use(workshop);
  const pool = await ImagePool.start(preprocessing, { maxPixels, track: workshop.pool.track });
  try {
    return await use({ ...workshop, pool, crops: new EvaluationCrops(pool, new CropCache(preprocessing)) });
  } finally {
    await pool.dispose();
  }
}
