import { mapConcurrent } from '../datasets/concurrent.ts';
import type { Sample } from '../datasets/dataset.ts';
import { decodeShrunk } from '../images/decode-shrunk.ts';
import { thumbnailUri } from '../images/encode.ts';
import type { Finding } from './finding.ts';

const SIDE = 96;

/** The examples of findings as small pictures, by id; those of the world by `world/` and their id. */
export async function picturesOf(
  findings: readonly Finding[],
  data: readonly Sample[],
  world: readonly Sample[],
): Promise<Record<string, string>> {
  const wanted = (ids: readonly string[], samples: readonly Sample[], prefix: string): [string, string][] => {
    const files = new Map(samples.map(({ id, file }) => [id, file]));
    return [...new Set(ids)].flatMap((id) => (files.has(id) ? [[prefix + id, files.get(id)!]] : []));
  };
  const files = [
    ...wanted(
      findings.flatMap(({ examples }) => examples),
      data,
      '',
    ),
    ...wanted(
      findings.flatMap(({ worldExamples }) => worldExamples ?? []),
      world,
      'world/',
    ),
  ];
  const pictures = await mapConcurrent(files, 6, async ([key, file]) => {
    const { width, height, data: pixels } = await decodeShrunk(file, SIDE);
    return [key, await thumbnailUri({ width, height, channels: 3, data: pixels }, SIDE)] as const;
  });
  return Object.fromEntries(pictures);
}
