import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomStream } from '../../src/core/random.ts';
import { encodePng } from '../../src/images/encode.ts';

const COLOURS: Readonly<Record<string, readonly [number, number, number]>> = {
  blue: [40, 60, 200],
  green: [50, 180, 60],
  red: [200, 50, 40],
};

/**
 * A folder of noisy coloured tiles, easy to tell apart: `train/CLASS`, `test/CLASS` and `unlabeled/`.
 * @param colourOf the colour that image i of a class shows; default its class'. Else labels mean nothing.
 */
export async function writeColourData(
  folder: string,
  counts: { readonly train: number; readonly test: number; readonly unlabeled?: number },
  side = 28,
  colourOf?: (i: number) => number,
): Promise<void> {
  const write = async (file: string, colour: readonly number[]): Promise<void> => {
    const stream = randomStream('colour-data', file);
    const data = Uint8Array.from({ length: side * side * 3 }, (_, i) =>
      Math.max(0, Math.min(255, Math.round(colour[i % 3]! + 25 * stream.normal()))),
    );
    await writeFile(join(folder, file), await encodePng({ width: side, height: side, channels: 3, data }));
  };
  for (const [name, colour] of Object.entries(COLOURS))
    for (const part of ['train', 'test'] as const) {
      await mkdir(join(folder, part, name), { recursive: true });
      for (let i = 0; i < counts[part]; i++)
        await write(`${part}/${name}/${i}.png`, colourOf === undefined ? colour : Object.values(COLOURS)[colourOf(i)]!);
    }
  await mkdir(join(folder, 'unlabeled'), { recursive: true });
  for (let i = 0; i < (counts.unlabeled ?? 0); i++) await write(`unlabeled/${i}.png`, Object.values(COLOURS)[i % 3]!);
}
